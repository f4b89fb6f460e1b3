//! Losses of rows that do not count alike.
//!
//! With weights w and what the loss counts by c (for example a class's own weight), the mean is
//! `Σᵢ wᵢ·cᵢ·lᵢ / Σᵢ wᵢ·cᵢ` over the rows: weighted means as scikit-learn's `sample_weight`, and as
//! PyTorch's class weights divide.

use trainbook_core::batch::Targets;

use super::Objective;
use crate::NnError;
use crate::host::HostTensor;

/// One row of a batch, as a batch of its own.
struct Row<'a> {
    at: usize,
    outputs: &'a HostTensor,
    targets: &'a Targets,
    weight: f64,
}

/// Hands over each row that has a weight.
fn each_row(
    outputs: &HostTensor,
    targets: &Targets,
    weights: &[f32],
    mut each: impl FnMut(Row<'_>) -> Result<(), NnError>,
) -> Result<(), NnError> {
    let (count, batch) = (weights.len(), outputs.batch());
    if count != batch || !targets.len().is_multiple_of(count.max(1)) {
        return Err(NnError::Data {
            action: "compute the loss on",
            reason: format!(
                "there are {count} weights for {batch} rows with {} targets; there must be one for \
                 each row",
                targets.len()
            ),
        });
    }
    let width = outputs.numbers().len() / count.max(1);
    let shape = std::iter::once(1).chain(outputs.shape[1..].iter().copied()).collect();
    let mut own = HostTensor::new(shape, vec![0.0; width]);
    each_target(targets, weights, |at, targets, weight| {
        own.numbers_mut().copy_from_slice(&outputs.numbers()[at * width..][..width]);
        each(Row { at, outputs: &own, targets, weight })
    })
}

/// Hands over the number, the targets and the weight of each row that has one.
fn each_target<E>(
    targets: &Targets,
    weights: &[f32],
    mut each: impl FnMut(usize, &Targets, f64) -> Result<(), E>,
) -> Result<(), E> {
    let per_row = targets.len() / weights.len().max(1);
    let mut own = Targets::default();
    for (at, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        own.gather(targets, &[at], per_row);
        each(at, &own, f64::from(weight))?;
    }
    Ok(())
}

/// The mean loss and its gradient in the outputs, which is written whole; `total` is the batch's
/// [`weight`]. Where nothing counts, NaN and a gradient of 0.
pub(super) fn with_gradient(
    objective: &dyn Objective,
    outputs: &HostTensor,
    targets: &Targets,
    weights: &[f32],
    total: f64,
    gradient: &mut [f32],
) -> Result<f64, NnError> {
    gradient.fill(0.0);
    let width = gradient.len() / weights.len().max(1);
    let mut mean = 0.0;
    each_row(outputs, targets, weights, |Row { at, outputs, targets, weight }| {
        let counts = weight * objective.weight(targets);
        if counts > 0.0 {
            let (into, share) = (&mut gradient[at * width..][..width], counts / total);
            mean += share * objective.with_gradient(outputs, targets, into)?;
            into.iter_mut().for_each(|g| *g = (f64::from(*g) * share) as f32);
        }
        Ok(())
    })?;
    Ok(if total > 0.0 { mean } else { f64::NAN })
}

/// The loss, not yet divided: the sum, and by what the mean divides it.
pub(super) fn sum(
    objective: &dyn Objective,
    outputs: &HostTensor,
    targets: &Targets,
    weights: &[f32],
) -> Result<(f64, f64), NnError> {
    let (mut sum, mut total) = (0.0, 0.0);
    each_row(outputs, targets, weights, |Row { outputs, targets, weight, .. }| {
        let (of_row, by) = objective.sum(outputs, targets)?;
        sum += weight * of_row;
        total += weight * by;
        Ok(())
    })?;
    Ok((sum, total))
}

/// How much a batch counts beside others: by what its mean divides.
pub(super) fn weight(objective: &dyn Objective, targets: &Targets, weights: &[f32]) -> f64 {
    let mut sum = 0.0;
    let Ok(()) = each_target(targets, weights, |_, targets, weight| {
        sum += weight * objective.weight(targets);
        Ok::<(), std::convert::Infallible>(())
    });
    sum
}
