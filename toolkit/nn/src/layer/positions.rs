//! Where in its sequence something stands, added to what it is.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

const TAKES: &str = "[sequence, features]";

/// `x + weight[..sequence]`: a trained row for each position (as in BERT and GPT-2, whose
/// deviation of 0.02 the rows begin with).
///
/// Takes `[sequence, features]`, at most `max_length` long, and keeps the shape. Parameter:
/// `weight` (max_length, features).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedPositions {
    /// How long a sequence may be.
    pub max_length: usize,
}

impl LearnedPositions {
    /// For sequences of up to so many positions.
    pub fn new(max_length: usize) -> Self {
        Self { max_length }
    }
}

/// `x + p` with `p[t, 2i] = sin(t / 10000^(2i / features))` and `p[t, 2i + 1] = cos(t /
/// 10000^(2i / features))` (Vaswani et al. 2017, arXiv:1706.03762). With an odd number of features
/// the last one is a sine.
///
/// Takes `[sequence, features]` and keeps the shape. No parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinusoidalPositions;

impl Sequential {
    /// Appends [`LearnedPositions`] for sequences of up to so many positions.
    #[must_use]
    pub fn learned_positions(self, max_length: usize) -> Self {
        self.with(LearnedPositions::new(max_length))
    }

    /// Appends [`SinusoidalPositions`].
    #[must_use]
    pub fn sinusoidal_positions(self) -> Self {
        self.with(SinusoidalPositions)
    }
}

impl SinusoidalPositions {
    /// What is added, row-major.
    fn table(length: usize, features: usize) -> impl Iterator<Item = f64> {
        (0..length).flat_map(move |t| {
            (0..features).map(move |d| {
                let pair = (d - d % 2) as f64 / features as f64;
                let angle = t as f64 / 10_000_f64.powf(pair);
                if d % 2 == 0 { angle.sin() } else { angle.cos() }
            })
        })
    }
}

/// Adds one table to every sample of a batch.
fn add<E: Real, D: Backend<E>>(
    x: Flow<E, D>,
    table: crate::on_dfdx::Taped<(usize, usize), E, D>,
) -> Result<Flow<E, D>, Fault> {
    let (length, features) = *table.shape();
    let dims = (x.batch(), length, features);
    let x = x.view(dims)?;
    Flow::of(x.try_add(table.try_broadcast_like::<_, Axis<0>>(&dims)?)?)
}

/// Adds one table to every sample of a batch.
fn add_on_host(x: &mut HostTensor, table: &[f32]) {
    let len = table.len();
    threads::each_block(x.numbers_mut(), len, len, |_, x| {
        x.iter_mut().zip(table).for_each(|(x, position)| *x += position);
    });
}

impl Layer for LearnedPositions {
    const KIND: &'static str = "LearnedPositions";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [length, features] = input.dims(TAKES)?;
        if length > self.max_length {
            return Err(Misfit::new(format!(
                "its max_length is {}, and the sequence has {length} positions",
                self.max_length
            )));
        }
        let shape = [self.max_length, features];
        plan.parameter("weight", shape, Role::Weight, Begin::Normal(0.02));
        plan.flops(input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let (length, features) = (x.shape()[1], x.shape()[2]);
        // On a tape of its own, so that the way back finds through the cut to the parameter.
        let weight = pass.parameter(0, (self.max_length, features))?;
        let weight = weight.put_tape(OwnedTape::default());
        add(x, weight.try_slice((0..length, 0..features))?)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let sample = pass.layer().input.clone();
        let values = pass.values(0)[..sample.size()].to_vec();
        let weight = pass.weight("weight", &sample.shape, values)?;
        pass.node("Add", &[&x.name, &weight], &[])
    }

    fn note(&self) -> String {
        format!("up to {}", self.max_length)
    }
}

impl HostLayer for LearnedPositions {
    fn forward(&self, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
        let len = x.numbers().len() / x.batch().max(1);
        add_on_host(&mut x, &pass.parameter(0)[..len]);
        Ok(x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let len = gradient.numbers().len() / gradient.batch().max(1);
        let into = pass.gradient(0);
        for sample in gradient.numbers().chunks_exact(len.max(1)) {
            into.iter_mut().zip(sample).for_each(|(g, more)| *g += more);
        }
        Ok(gradient)
    }
}

impl Layer for SinusoidalPositions {
    const KIND: &'static str = "SinusoidalPositions";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        input.dims::<2>(TAKES)?;
        plan.flops(input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let (length, features) = (x.shape()[1], x.shape()[2]);
        let table = Self::table(length, features).map(E::of).collect::<Vec<E>>();
        let table = x.device().try_tensor_from_vec(table, (length, features))?;
        add(x, table.put_tape(OwnedTape::default()))
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let [length, features] =
            pass.layer().input.dims(TAKES).map_err(|m| Fault::new(m.reason))?;
        let values = Self::table(length, features).map(|v| v as f32).collect();
        let table = pass.weight("table", &[length, features], values)?;
        pass.node("Add", &[&x.name, &table], &[])
    }
}

impl HostLayer for SinusoidalPositions {
    fn forward(&self, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
        let (length, features) = (x.shape[1], x.shape[2]);
        let mut table = pass.memory(length * features);
        let values = Self::table(length, features);
        table.iter_mut().zip(values).for_each(|(into, value)| *into = value as f32);
        add_on_host(&mut x, &table);
        pass.free_memory(table);
        Ok(x)
    }

    fn backward(&self, _: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        Ok(gradient)
    }
}
