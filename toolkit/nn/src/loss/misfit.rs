//! Whether targets fit outputs.

use trainbook_core::batch::Targets;

use super::TargetKind;
use crate::NnError;

/// The targets, if they are classes, as many as there are positions, and each one that the network has
/// an output for, of which there are `width`, or the one that does not count.
pub(super) fn classes<'a>(
    loss: &str,
    targets: &'a Targets,
    positions: usize,
    width: usize,
    ignored: Option<u32>,
) -> Result<&'a [u32], NnError> {
    let wrong = |class: &&u32| **class as usize >= width && Some(**class) != ignored;
    match targets {
        Targets::Classes(classes) if classes.len() == positions => {
            match classes.iter().find(wrong) {
                None => Ok(classes),
                Some(class) => Err(misfit(format!(
                    "the targets have class {class}, and the network has {width} outputs"
                ))),
            }
        }
        Targets::Classes(classes) => Err(misfit(format!(
            "there are {} classes for {positions} positions of the network's output",
            classes.len()
        ))),
        Targets::Values(_) => Err(kind(loss, TargetKind::Classes, TargetKind::Values)),
    }
}

/// The targets, if they are values and as many as there are outputs.
pub(super) fn values<'a>(
    loss: &str,
    targets: &'a Targets,
    outputs: usize,
) -> Result<&'a [f32], NnError> {
    match targets {
        Targets::Values(values) if values.len() == outputs => Ok(values),
        Targets::Values(values) => Err(misfit(format!(
            "there are {} values for {outputs} outputs of the network",
            values.len()
        ))),
        Targets::Classes(_) => Err(kind(loss, TargetKind::Values, TargetKind::Classes)),
    }
}

fn kind(loss: &str, takes: TargetKind, found: TargetKind) -> NnError {
    misfit(format!("{loss} takes {takes}, and the targets are {found}"))
}

pub(super) fn misfit(reason: String) -> NnError {
    NnError::Data { action: "compute the loss on", reason }
}

/// Whether a list of weights, one for each class or label, is one: so many, none below 0.
pub(super) fn weights(
    setting: &'static str,
    weights: &[f32],
    expected: usize,
    what: &str,
) -> Result<(), NnError> {
    if weights.len() != expected {
        return Err(NnError::Setting {
            setting,
            value: format!("{} numbers", weights.len()),
            expected: format!("{expected} numbers, one for each {what}"),
        });
    }
    match weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
        None => Ok(()),
        Some(wrong) => Err(NnError::Setting {
            setting,
            value: wrong.to_string(),
            expected: "at least 0".to_owned(),
        }),
    }
}
