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
struct Row {
    outputs: HostTensor,
    targets: Targets,
    /// How much it counts: its weight times what the loss counts by.
    counts: f64,
}

/// The rows that count at all, each with its number.
fn rows<'a>(
    objective: &'a dyn Objective,
    outputs: &'a HostTensor,
    targets: &'a Targets,
    weights: &'a [f32],
) -> Result<impl Iterator<Item = (usize, Row)> + 'a, NnError> {
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
    let (width, per_row) = (outputs.numbers().len() / count.max(1), targets.len() / count.max(1));
    let shape: Vec<usize> = std::iter::once(1).chain(outputs.shape[1..].iter().copied()).collect();
    let row = move |(row, &weight): (usize, &f32)| {
        let mut own = Targets::default();
        own.gather(targets, &[row], per_row);
        let counts = f64::from(weight) * objective.weight(&own);
        let numbers = outputs.numbers()[row * width..][..width].to_vec();
        let outputs = HostTensor::new(shape.clone(), numbers);
        (row, Row { outputs, targets: own, counts })
    };
    Ok(weights.iter().enumerate().map(row).filter(|(_, row)| row.counts > 0.0))
}

/// The mean loss and its gradient in the outputs, which is written whole. Where nothing counts, NaN
/// and a gradient of 0.
pub(super) fn with_gradient(
    objective: &dyn Objective,
    outputs: &HostTensor,
    targets: &Targets,
    weights: &[f32],
    gradient: &mut [f32],
) -> Result<f64, NnError> {
    gradient.fill(0.0);
    let width = gradient.len() / weights.len().max(1);
    let total = weight(objective, targets, weights);
    let mut mean = 0.0;
    for (at, row) in rows(objective, outputs, targets, weights)? {
        let (into, share) = (&mut gradient[at * width..][..width], row.counts / total);
        mean += share * objective.with_gradient(&row.outputs, &row.targets, into)?;
        into.iter_mut().for_each(|g| *g = (f64::from(*g) * share) as f32);
    }
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
    for (at, row) in rows(objective, outputs, targets, weights)? {
        let weight = f64::from(weights[at]);
        let (of_row, by) = objective.sum(&row.outputs, &row.targets)?;
        sum += weight * of_row;
        total += weight * by;
    }
    Ok((sum, total))
}

/// How much a batch counts beside others: by what its mean divides.
pub(super) fn weight(objective: &dyn Objective, targets: &Targets, weights: &[f32]) -> f64 {
    let per_row = targets.len() / weights.len().max(1);
    let mut own = Targets::default();
    let each = weights.iter().enumerate().map(|(row, &weight)| {
        own.gather(targets, &[row], per_row);
        f64::from(weight) * objective.weight(&own)
    });
    each.sum()
}
