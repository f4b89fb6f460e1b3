//! Numbers as probabilities.

use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// `eˣⁱ / Σⱼ eˣʲ` over the last dimension, computed from `x − max x`.
///
/// A loss of cross-entropy takes logits: it needs neither this nor [`LogSoftmax`] in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax;

/// The logarithm of [`Softmax`]: `xᵢ − ln Σⱼ eˣʲ` over the last dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSoftmax;

impl Sequential {
    /// Appends a [`Softmax`] over the last dimension.
    #[must_use]
    pub fn softmax(self) -> Self {
        self.with(Softmax)
    }

    /// Appends a [`LogSoftmax`] over the last dimension.
    #[must_use]
    pub fn log_softmax(self) -> Self {
        self.with(LogSoftmax)
    }
}

/// What the two differ in.
trait OverRows {
    /// A row of inputs becomes one of outputs.
    fn forward(row: &mut [f32]);

    /// A row of gradients in the outputs becomes one in the inputs.
    fn backward(outputs: &[f32], gradients: &mut [f32]);

    fn on_dfdx<E: Real, D: Backend<E>>(
        rows: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize, usize), E, D>, Fault>;
}

fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

impl OverRows for Softmax {
    fn forward(row: &mut [f32]) {
        let max = largest(row);
        let mut sum = 0.0;
        for x in row.iter_mut() {
            *x = (*x - max).exp();
            sum += *x;
        }
        row.iter_mut().for_each(|x| *x /= sum);
    }

    fn backward(outputs: &[f32], gradients: &mut [f32]) {
        let mean: f32 = outputs.iter().zip(gradients.iter()).map(|(y, g)| y * g).sum();
        gradients.iter_mut().zip(outputs).for_each(|(g, y)| *g = y * (*g - mean));
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        rows: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize, usize), E, D>, Fault> {
        Ok(rows.try_softmax::<dfdx::shapes::Axis<1>>()?)
    }
}

impl OverRows for LogSoftmax {
    fn forward(row: &mut [f32]) {
        let max = largest(row);
        let sum: f32 = row.iter().map(|x| (x - max).exp()).sum();
        let ln = sum.ln();
        row.iter_mut().for_each(|x| *x = (*x - max) - ln);
    }

    fn backward(outputs: &[f32], gradients: &mut [f32]) {
        let sum: f32 = gradients.iter().sum();
        gradients.iter_mut().zip(outputs).for_each(|(g, y)| *g -= y.exp() * sum);
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        rows: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize, usize), E, D>, Fault> {
        Ok(rows.try_log_softmax::<dfdx::shapes::Axis<1>>()?)
    }
}

/// Operations for one element, roughly; the host divides its work by it too.
const COST: usize = 10;

macro_rules! over_rows {
    ($($layer:ident: $kind:literal;)+) => { $(
        impl Layer for $layer {
            const KIND: &'static str = $kind;

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                input.as_numbers("[…, classes]")?;
                plan.flops(COST * input.size());
                Ok(input.clone())
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                _: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                let shape = x.shape().to_vec();
                Flow::shaped(Self::on_dfdx(x.rows()?)?, shape)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn autocast(&self) -> Autocast {
                Autocast::Full
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                pass.node($kind, &[&x.name], &[("axis", Attribute::Int(-1))])
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
                let width = x.last();
                threads::each_block(x.numbers_mut(), width, COST * width, |_, row| {
                    <Self as OverRows>::forward(row);
                });
                pass.save(x.clone());
                Ok(x)
            }

            fn backward(&self, pass: &mut HostPass<'_>, mut gradient: HostTensor) -> Result<HostTensor, Fault> {
                let outputs = pass.saved()?;
                let (width, from) = (outputs.last(), outputs.numbers());
                threads::each_block(gradient.numbers_mut(), width, COST * width, |i, row| {
                    <Self as OverRows>::backward(&from[i * width..][..width], row);
                });
                pass.free(outputs);
                Ok(gradient)
            }
        }
    )+ };
}

over_rows! {
    Softmax: "Softmax";
    LogSoftmax: "LogSoftmax";
}
