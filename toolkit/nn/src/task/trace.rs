//! What every layer gives for one batch.

use std::collections::BTreeMap;

use trainbook_callbacks::{Activity, Snapshot};
use trainbook_core::array::Numbers;
use trainbook_core::batch::Batch;

use super::{Recipe, indices};
use crate::NnError;
use crate::context::Context;
use crate::host::{Aside, HostPass, HostTensor, Memory};
use crate::plan::{Node, Planned};

/// What every layer gives for one batch, with nothing changed. Computed in f32 in the processor's
/// memory, whatever the device and the precision.
#[derive(Clone, Debug)]
pub struct Trace {
    /// In the order in which they are computed: a layer's parts before the layer.
    pub layers: Vec<LayerOutput>,
}

/// What one layer gives.
#[derive(Clone, Debug)]
pub struct LayerOutput {
    /// Where it is, for example "encoder.0.linear1"; empty for the network itself.
    pub path: String,
    /// What it is, for example "Linear".
    pub kind: String,
    /// Its output, the samples of the batch first.
    pub output: HostTensor,
    /// For an activation, where it is flat; see [`Layer::flat`](crate::layer::Layer::flat).
    pub flat: Option<fn(f32) -> bool>,
}

/// What this activation gives, which is flat somewhere.
fn activity(layer: &LayerOutput, is_flat: fn(f32) -> bool) -> Activity {
    let LayerOutput { path, kind, output, .. } = layer;
    let numbers = output.numbers();
    let (mean, std) = moments(numbers);
    let flat = numbers.iter().filter(|y| is_flat(**y)).count() as f64;
    Activity {
        // A network that is one layer has no path.
        layer: if path.is_empty() { kind.clone() } else { path.clone() },
        kind: kind.clone(),
        mean,
        std,
        flat: flat / numbers.len().max(1) as f64,
        silent: silent(output, is_flat),
    }
}

/// Mean and standard deviation, 0 of nothing.
pub(super) fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let square: f64 = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
    (mean, (square / count).sqrt())
}

/// For each unit, whether all that it gives is such.
pub(super) fn silent(output: &HostTensor, is_flat: impl Fn(f32) -> bool) -> Vec<bool> {
    let rows = output.batch();
    let numbers = output.numbers();
    let width = numbers.len() / rows.max(1);
    let unit = if output.shape.len() == 4 { output.shape[2] * output.shape[3] } else { 1 }.max(1);
    let of_row = |row: usize, number: usize| &numbers[row * width + number * unit..][..unit];
    (0..width / unit)
        .map(|number| (0..rows).all(|row| of_row(row, number).iter().all(|y| is_flat(*y))))
        .collect()
}

/// Where numbers that are not finite come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// The first layer that gives one, for example "2"; empty for the network itself.
    pub path: String,
    /// What it is, for example "Linear".
    pub kind: String,
    /// Which rows of the batch have one there.
    pub rows: Vec<usize>,
    /// How many NaN there are.
    pub nans: usize,
    /// How many infinities.
    pub infs: usize,
}

impl Trace {
    /// Of the recipe's network with these weights behind so many updates, in training or in evaluation.
    ///
    /// # Errors
    /// The batch or the weights do not fit the network.
    pub fn of(
        recipe: &Recipe,
        weights: &Snapshot,
        update: u64,
        batch: &Batch,
        training: bool,
    ) -> Result<Self, NnError> {
        let planned = recipe.plan_for(&batch.input)?;
        planned.layout.check(weights)?;
        planned.check_input(&batch.input)?;
        let values = planned.layout.flat(weights);
        let context = Context { training, seed: recipe.seed, update, samples: &batch.samples };
        let mut run = Run { planned: &planned, values: &values, context, aside: Aside::watching() };
        run.forward(input_of(batch)?)?;
        let mut kinds = BTreeMap::new();
        kinds_of(&planned.root, &mut kinds);
        let outputs = run.aside.outputs().into_iter();
        let layer = |(path, output): (String, HostTensor)| {
            let (kind, flat) = kinds.get(path.as_str()).copied().unwrap_or_default();
            LayerOutput { path, kind: kind.to_owned(), output, flat }
        };
        Ok(Self { layers: outputs.map(layer).collect() })
    }

    /// What each activation gives that is flat somewhere.
    pub fn activities(&self) -> Vec<Activity> {
        let flat = self.layers.iter().filter_map(|layer| Some((layer, layer.flat?)));
        flat.map(|(layer, is_flat)| activity(layer, is_flat)).collect()
    }

    /// The first layer with an output that is not finite, and the rows that have one. `None` where
    /// all are.
    pub fn first_non_finite(&self) -> Option<NonFinite> {
        self.layers.iter().find_map(|LayerOutput { path, kind, output, .. }| {
            NonFinite::among(output.numbers(), output.batch(), path, kind)
        })
    }
}

impl NonFinite {
    /// Of the numbers of so many rows, which this layer gives; `None` where all are finite.
    pub fn among(numbers: &[f32], rows: usize, path: &str, kind: &str) -> Option<Self> {
        let width = (numbers.len() / rows.max(1)).max(1);
        let is_bad = |row: &[f32]| row.iter().any(|number| !number.is_finite());
        let bad = numbers.chunks_exact(width).enumerate().filter(|(_, row)| is_bad(row));
        let rows: Vec<usize> = bad.map(|(row, _)| row).collect();
        let count = |is: fn(f32) -> bool| numbers.iter().filter(|number| is(**number)).count();
        (!rows.is_empty()).then(|| Self {
            path: path.to_owned(),
            kind: kind.to_owned(),
            rows,
            nans: count(f32::is_nan),
            infs: count(f32::is_infinite),
        })
    }
}

/// What a layer is, and where it is flat.
type Kind<'a> = (&'a str, Option<fn(f32) -> bool>);

fn kinds_of<'a>(node: &'a Node, into: &mut BTreeMap<&'a str, Kind<'a>>) {
    into.insert(&node.path, (node.layer.kind(), node.layer.layer().flat()));
    node.children.iter().for_each(|child| kinds_of(child, into));
}

/// A batch's inputs as a network takes them.
pub(super) fn input_of(batch: &Batch) -> Result<HostTensor, NnError> {
    let shape = batch.input.shape.clone();
    Ok(match &batch.input.numbers {
        Numbers::F32(numbers) => HostTensor::new(shape, numbers.clone()),
        Numbers::I64(_) => HostTensor::of_indices(shape, indices(&batch.input)?),
    })
}

/// One way forward and one back, watched.
pub(super) struct Run<'a> {
    pub planned: &'a Planned,
    pub values: &'a [f32],
    pub context: Context<'a>,
    pub aside: Aside,
}

impl Run<'_> {
    fn pass(
        &mut self,
        gradients: &mut [f32],
        run: impl FnOnce(&mut HostPass<'_>) -> Result<HostTensor, crate::layer::Fault>,
    ) -> Result<HostTensor, NnError> {
        // What running statistics would become goes with the buffers.
        let (mut buffers, mut memory) = (Vec::new(), Memory::default());
        let mut pass = HostPass::new(
            &self.planned.root,
            self.planned.layout.slots(),
            self.values,
            gradients,
            &mut buffers,
            self.context,
            &mut self.aside,
            &mut memory,
            true,
        );
        run(&mut pass).map_err(NnError::from_fault)
    }

    pub fn forward(&mut self, x: HostTensor) -> Result<HostTensor, NnError> {
        self.pass(&mut [], |pass| pass.forward(x))
    }

    pub fn backward(&mut self, gradient: HostTensor) -> Result<Vec<f32>, NnError> {
        let mut gradients = vec![0.0; self.planned.layout.trained_len()];
        self.pass(&mut gradients, |pass| pass.backward(gradient))?;
        Ok(gradients)
    }
}
