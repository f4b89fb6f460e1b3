//! Features that say nothing, or nearly nothing.

use super::{Seen, list};
use crate::report::{Finding, Severity};
use crate::{DataError, Part};

/// A feature that has one value in this share of the training part is nearly constant.
const NEARLY: f64 = 0.999;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    let constant = || seen.report.features.iter().filter(|feature| feature.constant);
    if let Some(names) = list(constant().map(|feature| feature.name.as_str())) {
        let text =
            format!("constant in train, so nothing can be learnt from them: features {names}");
        findings.push(
            Finding::new(Severity::Note, text).evidence("features", constant().count() as f64),
        );
    }
    let rows = seen.data.part(Part::Train).len();
    let nearly = || {
        let all = seen.report.features.iter().zip(&seen.counts.features);
        all.filter(|(feature, counts)| {
            !feature.constant && counts.usual_rows as f64 >= NEARLY * rows as f64
        })
    };
    if seen.is_tabular()
        && let Some(names) = list(nearly().map(|(feature, _)| feature.name.as_str()))
    {
        let text = format!(
            "nearly constant: features {names} have one value in at least {}% of train",
            NEARLY * 100.0
        );
        let others = nearly().map(|(_, counts)| rows - counts.usual_rows).min().unwrap_or(0);
        findings.push(
            Finding::new(Severity::Note, text)
                .evidence("features", nearly().count() as f64)
                .evidence("least_other_rows", others as f64),
        );
    }
    Ok(findings)
}
