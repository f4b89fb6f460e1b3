//! Dropout: in training some of what flows is set to 0.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::group_norm::dims;
use super::{Fault, Layer, Misfit, Sequential};
use crate::context::Context;
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::{Node, Plan};
use crate::sample::Sample;

/// In training sets each number to 0 with probability p, and multiplies the others by 1 / (1 − p);
/// in evaluation nothing (Srivastava et al. 2014, JMLR 15). As PyTorch's `Dropout`.
///
/// Takes any shape and keeps it. What is dropped follows from the run's seed, the update, the
/// layer's place and the sample alone: not from the rest of the batch, the threads or the device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    /// The probability with which a number is dropped, from 0 to below 1. Default 0.5.
    pub p: f64,
}

/// As [`Dropout`], but drops whole channels, each with probability p (Tompson et al. 2015,
/// arXiv:1411.4280). As PyTorch's `Dropout1d`, `2d` and `3d`.
///
/// Takes `[channels, …]` with at least two dimensions and keeps the shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelDropout {
    /// The probability with which a channel is dropped, from 0 to below 1. Default 0.5.
    pub p: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

impl Default for ChannelDropout {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

impl Dropout {
    /// With this probability.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl ChannelDropout {
    /// With this probability.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Sequential {
    /// Appends a [`Dropout`] with probability p.
    #[must_use]
    pub fn dropout(self, p: f64) -> Self {
        self.with(Dropout::new(p))
    }

    /// Appends a [`ChannelDropout`] with probability p.
    #[must_use]
    pub fn channel_dropout(self, p: f64) -> Self {
        self.with(ChannelDropout::new(p))
    }
}

fn check(p: f64) -> Result<(), Misfit> {
    if (0.0..1.0).contains(&p) {
        Ok(())
    } else {
        Err(Misfit::new(format!("its p must be from 0 to below 1, not {p}")))
    }
}

/// What a number is multiplied by.
fn factor(dropped: bool, p: f64) -> f64 {
    if dropped { 0.0 } else { 1.0 / (1.0 - p) }
}

/// Calls `put` with the factor of each of a sample's numbers, in order, or of its channels.
fn draw(
    p: f64,
    context: &Context<'_>,
    node: &Node,
    row: usize,
    put: impl IntoIterator<Item = impl FnOnce(f64)>,
) {
    let mut draws = context.draws(&node.path, row);
    for put in put {
        put(factor(draws.unit() < p, p));
    }
}

/// The factors of a whole batch on the device, each one for `positions` numbers in a row.
fn masked<E: Real, D: Backend<E>>(
    p: f64,
    pass: &Pass<'_, E, D>,
    x: Flow<E, D>,
    (batch, channels, positions): (usize, usize, usize),
) -> Result<Flow<E, D>, Fault> {
    let mut mask = vec![E::of(0.0); batch * channels];
    for (row, mask) in mask.chunks_mut(channels.max(1)).enumerate() {
        let put = mask.iter_mut().map(|into| move |factor| *into = E::of(factor));
        draw(p, &pass.context(), pass.node(), row, put);
    }
    let shape = x.shape().to_vec();
    let rows = (batch * channels, positions);
    let mask = x.device().try_tensor_from_vec(mask, (rows.0,))?;
    let y = x.view(rows)?.try_mul(mask.try_broadcast_like::<_, Axis<1>>(&rows)?)?;
    Flow::shaped(y, shape)
}

/// The same on the processor; puts the factors aside.
fn masked_on_host(
    p: f64,
    pass: &mut HostPass<'_>,
    mut x: HostTensor,
    (batch, channels, positions): (usize, usize, usize),
) -> HostTensor {
    let mut mask = pass.memory(batch * channels);
    let (context, node) = (pass.context(), pass.node());
    // A draw costs as much as several multiplications.
    threads::each_block(&mut mask, channels, 8 * channels, |row, mask| {
        let put = mask.iter_mut().map(|into| move |factor| *into = factor as f32);
        draw(p, &context, node, row, put);
    });
    let mask = HostTensor::new(vec![batch, channels], mask);
    multiply(&mut x, &mask, positions);
    pass.save(mask);
    x
}

/// Multiplies by factors, each one for `positions` numbers in a row.
fn multiply(x: &mut HostTensor, mask: &HostTensor, positions: usize) {
    let mask = mask.numbers();
    if positions == 1 {
        threads::each_share(x.numbers_mut(), |at, x| {
            x.iter_mut().zip(&mask[at..]).for_each(|(x, factor)| *x *= factor);
        });
    } else {
        threads::each_block(x.numbers_mut(), positions, positions, |i, x| {
            x.iter_mut().for_each(|x| *x *= mask[i]);
        });
    }
}

/// Both layers, which differ in what one draw is for.
macro_rules! dropouts {
    ($($layer:ty = $kind:literal, $plan:expr, $dims:expr;)+) => { $(
        impl Layer for $layer {
            const KIND: &'static str = $kind;

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                check(self.p)?;
                let plans: fn(&Sample) -> Result<(), Misfit> = $plan;
                plans(input)?;
                plan.flops(input.size());
                Ok(input.clone())
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                pass: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                if !pass.is_training() || self.p == 0.0 {
                    return Ok(x);
                }
                let dims: fn(&[usize]) -> (usize, usize, usize) = $dims;
                let dims = dims(x.shape());
                masked(self.p, pass, x, dims)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            /// Nothing: this is evaluation.
            fn onnx(&self, _: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                Ok(x.clone())
            }

            fn note(&self) -> String {
                self.p.to_string()
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                if !pass.is_training() || self.p == 0.0 {
                    return Ok(x);
                }
                let dims: fn(&[usize]) -> (usize, usize, usize) = $dims;
                let dims = dims(&x.shape);
                Ok(masked_on_host(self.p, pass, x, dims))
            }

            fn backward(
                &self,
                pass: &mut HostPass<'_>,
                mut gradient: HostTensor,
            ) -> Result<HostTensor, Fault> {
                if !pass.is_training() || self.p == 0.0 {
                    return Ok(gradient);
                }
                let mask = pass.saved()?;
                let dims: fn(&[usize]) -> (usize, usize, usize) = $dims;
                let (_, _, positions) = dims(&gradient.shape);
                multiply(&mut gradient, &mask, positions);
                pass.free(mask);
                Ok(gradient)
            }
        }
    )+ };
}

dropouts! {
    Dropout = "Dropout",
        |input| input.as_numbers("[features, …]").map(|_| ()),
        |shape| (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product(), 1);
    ChannelDropout = "ChannelDropout",
        |input| match input.as_numbers("[channels, …]")?.len() {
            1 => Err(Misfit::new("it takes [channels, …] with positions; for features there is Dropout")),
            _ => Ok(()),
        },
        dims;
}
