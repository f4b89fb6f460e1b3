//! Do labels belong to their rows?

use super::Seen;
use crate::report::{Finding, Probe, Severity, ValueProbe};
use crate::{DataError, Part};

/// The probe counts as weak when it gains less than this part of what lies between shuffled labels
/// and perfection.
const WEAK: f64 = 0.2;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    let report = &seen.report;
    let cure = "a look at some rows and their targets, and one order for both";
    if let Some(Probe { accuracy, shuffled_mean: mean, shuffled_std: std }) = report.probe {
        let text = format!(
            "a simple classifier reaches {accuracy:.3} with them and {mean:.3} ± {std:.3} with shuffled ones"
        );
        let said = match () {
            () if accuracy <= mean + 3.0 * std => {
                Some((Severity::Warning, "labels may not belong to their rows"))
            }
            () if accuracy - mean < WEAK * (1.0 - mean) => {
                Some((Severity::Note, "labels are hard to predict, or some belong to other rows"))
            }
            () => None,
        };
        findings.extend(said.map(|(severity, said)| {
            Finding::new(severity, format!("{said}: {text}"))
                .evidence("accuracy", accuracy)
                .evidence("shuffled_mean", mean)
                .evidence("shuffled_std", std)
                .cure(cure)
        }));
    }
    if let Some(probe) = report.value_probe.filter(|probe| !probe.is_aligned()) {
        let ValueProbe { r2, shuffled_mean: mean, shuffled_std: std } = probe;
        let text = format!(
            "targets may not belong to their rows: the nearest rows predict them with R² {r2:.3}, \
             and shuffled ones with {mean:.3} ± {std:.3}"
        );
        findings.push(
            Finding::new(Severity::Warning, text)
                .evidence("r2", r2)
                .evidence("shuffled_mean", mean)
                .evidence("shuffled_std", std)
                .cure(cure),
        );
    }
    if report.parts[Part::Validation as usize] == 0 {
        let text =
            "there is no validation part, so whether targets belong to their rows was not checked";
        findings.push(
            Finding::new(Severity::Note, text).cure(".split(Split::random(0.8, 0.1, 0.1), seed)"),
        );
    }
    Ok(findings)
}
