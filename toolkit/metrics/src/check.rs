//! Whether outputs and targets fit each other.

use trainbook_core::batch::{TargetKind, Targets};

use crate::MetricError;

/// Whether outputs whose last dimension is `width` have targets, and weights, as a metric takes
/// them.
pub(crate) fn check_data(
    metric: &str,
    takes: TargetKind,
    outputs: &[f32],
    width: usize,
    targets: &Targets,
    weights: Option<&[f32]>,
) -> Result<(), MetricError> {
    let wrong = |reason: String| Err(MetricError::Data { metric: metric.to_owned(), reason });
    if width == 0 || !outputs.len().is_multiple_of(width) {
        let count = outputs.len();
        return wrong(format!("{count} outputs are not rows of {width}; give whole rows"));
    }
    let expected = match (takes, targets) {
        (TargetKind::Classes, Targets::Classes(_)) => outputs.len() / width,
        (TargetKind::Values, Targets::Values(_)) => outputs.len(),
        (TargetKind::Classes, Targets::Values(_)) => {
            return wrong("the targets are values; it takes classes".to_owned());
        }
        (TargetKind::Values, Targets::Classes(_)) => {
            return wrong("the targets are classes; it takes values".to_owned());
        }
    };
    if targets.len() != expected {
        return wrong(format!(
            "{} outputs in rows of {width} have {} targets; it takes {expected}",
            outputs.len(),
            targets.len()
        ));
    }
    if let Targets::Classes(classes) = targets
        && let Some(class) = classes.iter().find(|class| **class as usize >= width)
    {
        let last = width - 1;
        return wrong(format!("there is a target of class {class}; the last class is {last}"));
    }
    match weights {
        Some(weights) if weights.len() != expected => wrong(format!(
            "{} weights are given; it takes one for each of {expected} targets",
            weights.len()
        )),
        Some(weights) => match weights.iter().find(|weight| weight.is_nan() || **weight < 0.0) {
            Some(weight) => wrong(format!("a weight is {weight}; it must be at least 0")),
            None => Ok(()),
        },
        None => Ok(()),
    }
}
