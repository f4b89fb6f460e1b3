//! What losses on values have in common: each output has its own target and its own loss, and the
//! mean is over all outputs.

use dfdx::prelude::*;
use trainbook_core::batch::Targets;

use super::misfit;
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// Computes the mean of `loss(output, target, column)` and its gradient; `loss` returns value and
/// slope.
pub(super) fn with_gradient(
    name: &str,
    outputs: &HostTensor,
    targets: &Targets,
    gradient: &mut [f32],
    loss: impl Fn(f64, f64, usize) -> (f64, f64),
) -> Result<f64, NnError> {
    let values = misfit::values(name, targets, outputs.numbers().len())?;
    let (width, count) = (outputs.last().max(1), values.len() as f64);
    let mut sum = 0.0;
    for (i, ((x, y), g)) in outputs.numbers().iter().zip(values).zip(gradient).enumerate() {
        let (value, slope) = loss(f64::from(*x), f64::from(*y), i % width);
        sum += value;
        *g = (slope / count) as f32;
    }
    Ok(sum / count)
}

/// The sum of `loss(output, target, column)`, and over how many.
pub(super) fn sum(
    name: &str,
    outputs: &HostTensor,
    targets: &Targets,
    loss: impl Fn(f64, f64, usize) -> (f64, f64),
) -> Result<(f64, f64), NnError> {
    let values = misfit::values(name, targets, outputs.numbers().len())?;
    let width = outputs.last().max(1);
    let pairs = outputs.numbers().iter().zip(values).enumerate();
    let sum = pairs.map(|(i, (x, y))| loss(f64::from(*x), f64::from(*y), i % width).0).sum();
    Ok((sum, values.len() as f64))
}

/// A vector of all outputs or all targets, on a device.
pub(super) type Vector<E, D> = Tensor<(usize,), E, D>;

/// The mean of what `loss` makes of all outputs and targets.
pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
    name: &str,
    outputs: Flow<E, D>,
    targets: &Targets,
    loss: impl FnOnce(Taped<(usize,), E, D>, Vector<E, D>) -> Result<Taped<(usize,), E, D>, D::Err>,
) -> Result<Taped<(), E, D>, NnError> {
    let count = outputs.shape().iter().product();
    let values = misfit::values(name, targets, count)?;
    let device = outputs.device();
    let run = || {
        let values = values.iter().map(|v| E::of(f64::from(*v))).collect();
        let values = device.try_tensor_from_vec(values, (count,))?;
        loss(outputs.flat(), values)?.try_sum()?.try_div(E::of(count as f64))
    };
    run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
}
