//! What a network makes of one batch, layer by layer.

use std::collections::BTreeMap;

use serde::Serialize;
use trainbook_core::batch::{Batch, Targets};

use super::trace::{Run, input_of, moments, silent};
use super::{Recipe, TaskState};
use crate::NnError;
use crate::context::Context;
use crate::host::{Aside, HostTensor};
use crate::loss::{Loss, TargetKind};
use crate::parameters::{Role, Slot};
use crate::plan::Node;
use crate::sample::Kind;

/// What a network makes of one batch, layer by layer: forward and backward in training, with
/// nothing changed. Computed in the processor's memory, whatever the device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// The rows of the batch.
    pub rows: usize,
    /// The batch's mean loss.
    pub loss: f64,
    /// The loss of outputs that know nothing: for classes all logits 0, which is ln C for C classes
    /// under cross-entropy; for values the mean of the batch's targets, column by column, which is
    /// their variance under the mean squared error; its logarithm or logit where outputs are such.
    pub baseline: f64,
    /// Whether the targets are classes; otherwise they are values.
    pub classes: bool,
    /// The layers that have tensors or no parts, in the order in which they compute.
    pub layers: Vec<LayerProbe>,
}

/// What one layer makes of a batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerProbe {
    /// Where it is, for example "encoder.0.linear1".
    pub path: String,
    /// What it is, for example "Linear".
    pub kind: String,
    /// The mean of its output.
    pub mean: f64,
    /// The standard deviation of its output.
    pub std: f64,
    /// For a ReLU the share of its units that are 0 in every row: of its elements, or of its
    /// channels where a sample is [channels, height, width].
    pub dead: Option<f64>,
    /// Its weights, without biases and normalisations.
    pub weights: Vec<WeightProbe>,
}

/// One weight, and the loss's gradient in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightProbe {
    /// Its name, for example "0.weight".
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The standard deviation of its elements.
    pub std: f64,
    /// The standard deviation of the gradient's elements.
    pub gradient: f64,
    /// Whether all its elements are 0.
    pub zero: bool,
    /// Whether it is a table of which a batch looks up some rows: its gradient is 0 elsewhere.
    pub table: bool,
    /// The first two units with equal weights, equal biases and equal gradients, which no step will
    /// tell apart. A unit is a row.
    pub twins: Option<(usize, usize)>,
    /// How many units are like another one in front of them.
    pub copies: usize,
}

/// Gradients are equal if they differ by no more than this share of the larger: gradients of equal
/// units may be summed in another order.
const EQUAL: f32 = 1e-4;
/// With how many different gradients of equal units one more is compared at most.
const GRADIENTS: usize = 16;

impl Probe {
    /// Of the recipe's network in this state.
    ///
    /// # Errors
    /// The batch or the state does not fit the network.
    pub fn of(recipe: &Recipe, state: &TaskState, batch: &Batch) -> Result<Self, NnError> {
        let planned = recipe.plan_for(&batch.input)?;
        let objective = recipe.loss.objective();
        objective.check(&planned.root.output.shape)?;
        planned.layout.check(&state.weights)?;
        planned.check_input(&batch.input)?;
        let values = planned.layout.flat(&state.weights);
        let context = Context {
            training: true,
            seed: recipe.seed,
            update: state.updates,
            samples: &batch.samples,
        };
        let mut run = Run { planned: &planned, values: &values, context, aside: Aside::watching() };
        let outputs = run.forward(input_of(batch)?)?;
        let mut gradient = vec![0.0; outputs.numbers().len()];
        let weight = recipe.loss.weight(batch);
        let loss = recipe.loss.of_batch(&outputs, batch, weight, &mut gradient, &mut Vec::new())?;
        let baseline = baseline(&recipe.loss, &outputs, batch)?;
        let seen = run.aside.outputs().into_iter().collect();
        let gradients = run.backward(HostTensor::new(outputs.shape.clone(), gradient))?;
        let look = Look { slots: planned.layout.slots(), values: &values, gradients, seen };
        let mut layers = Vec::new();
        look.layers(&planned.root, &mut layers);
        let classes = objective.takes() == TargetKind::Classes;
        Ok(Self { rows: batch.len(), loss, baseline, classes, layers })
    }
}

/// The loss of outputs that know nothing.
fn baseline(loss: &Loss, outputs: &HostTensor, batch: &Batch) -> Result<f64, NnError> {
    let len = outputs.numbers().len();
    let same = match (loss.objective().takes(), &batch.targets) {
        (TargetKind::Values, Targets::Values(values)) => {
            let width = (len / outputs.batch().max(1)).max(1);
            let columns: Vec<f32> = (0..width)
                .map(|column| {
                    let values = values.iter().skip(column).step_by(width).copied();
                    loss.output_of_mean(
                        mean(values, batch.weights.as_deref()),
                        column % outputs.last().max(1),
                    ) as f32
                })
                .collect();
            columns.into_iter().cycle().take(len).collect()
        }
        _ => vec![0.0; len],
    };
    let (sum, by) = loss.sum(&HostTensor::new(outputs.shape.clone(), same), batch)?;
    Ok(sum / by)
}

/// The mean of one value of each row, which may count by weights.
fn mean(values: impl Iterator<Item = f32>, weights: Option<&[f32]>) -> f64 {
    let weight = |at: usize| weights.map_or(1.0, |weights| f64::from(weights[at]));
    let (sum, total) = values.enumerate().fold((0.0, 0.0), |(sum, total), (at, value)| {
        (sum + weight(at) * f64::from(value), total + weight(at))
    });
    sum / total
}

/// All that is known after the way back.
struct Look<'a> {
    slots: &'a [Slot],
    values: &'a [f32],
    gradients: Vec<f32>,
    seen: BTreeMap<String, HostTensor>,
}

impl Look<'_> {
    fn layers(&self, node: &Node, into: &mut Vec<LayerProbe>) {
        if node.children.is_empty() || !node.slots.is_empty() {
            let output = self.seen.get(&node.path);
            let (mean, std) = moments(output.map_or(&[], HostTensor::numbers));
            let kind = node.layer.kind().to_owned();
            let dead = output.filter(|_| kind == "Relu").map(dead);
            let weights = self.weights(node);
            into.push(LayerProbe { path: node.path.clone(), kind, mean, std, dead, weights });
        }
        node.children.iter().for_each(|child| self.layers(child, into));
    }

    fn weights(&self, node: &Node) -> Vec<WeightProbe> {
        let own = || node.slots.iter().map(|&slot| &self.slots[slot]);
        let weights = own().filter(|slot| slot.role == Role::Weight);
        let probe = |slot: &Slot| {
            let (values, gradients) = (&self.values[slot.range()], &self.gradients[slot.range()]);
            let table =
                node.input.kind == Kind::Indices || node.layer.kind() == "CategoricalEmbedding";
            // The rows of a table or of a transposed convolution are no units.
            let units = match node.layer.kind() {
                _ if table || slot.shape.len() < 2 => 0,
                "LearnedPositions" | "ConvTranspose2d" => 0,
                _ => slot.shape[0],
            };
            let bias = own().find(|other| other.role == Role::Bias && other.shape == [units]);
            let bias = bias.map_or(&[][..], |bias| &self.values[bias.range()]);
            let (twins, copies) = twins(values, gradients, bias, units);
            WeightProbe {
                name: slot.name.clone(),
                shape: slot.shape.clone(),
                std: moments(values).1,
                gradient: moments(gradients).1,
                zero: values.iter().all(|v| *v == 0.0),
                table,
                twins,
                copies,
            }
        };
        weights.map(probe).collect()
    }
}

/// The share of units that are 0 in every row.
fn dead(output: &HostTensor) -> f64 {
    let silent = silent(output, |y| y == 0.0);
    silent.iter().filter(|silent| **silent).count() as f64 / silent.len().max(1) as f64
}

/// The first two units that are alike, and how many are like one in front of them.
fn twins(
    values: &[f32],
    gradients: &[f32],
    bias: &[f32],
    units: usize,
) -> (Option<(usize, usize)>, usize) {
    let width = values.len() / units.max(1);
    let row = |all: &[f32], unit: usize| all[unit * width..][..width].to_vec();
    let mut groups: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    for unit in 0..units {
        let key = row(values, unit).into_iter().chain(bias.get(unit).copied());
        // −0 is 0.
        groups.entry(key.map(|v| (v + 0.0).to_bits()).collect()).or_default().push(unit);
    }
    let alike = |a: usize, b: usize| {
        let (a, b) = (row(gradients, a), row(gradients, b));
        let largest = a.iter().chain(&b).fold(0.0_f32, |max, v| max.max(v.abs()));
        a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= EQUAL * largest)
    };
    let (mut first, mut copies) = (None, 0);
    for group in groups.values() {
        let mut different: Vec<usize> = Vec::new();
        for &unit in group {
            match different.iter().find(|&&other| alike(other, unit)) {
                Some(&other) => {
                    copies += 1;
                    first = Some(first.map_or((other, unit), |pair| (other, unit).min(pair)));
                }
                None if different.len() < GRADIENTS => different.push(unit),
                None => {}
            }
        }
    }
    (first, copies)
}
