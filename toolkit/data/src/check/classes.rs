//! A single class, and classes of which one has far more rows than another.

use super::Seen;
use crate::DataError;
use crate::report::{Finding, Severity};

/// The largest class may have this many times the rows of the smallest before that is a warning.
const IMBALANCE: f64 = 10.0;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    if seen.report.classes.len() == 1 {
        let text = "there is only one class; a classifier needs at least two";
        findings.push(Finding::new(Severity::Error, text));
    }
    if let Some(imbalance) = seen.report.imbalance.filter(|&ratio| ratio > IMBALANCE) {
        let text = format!(
            "the largest class has {imbalance:.1} times the rows of the smallest; accuracy will \
             hide how the small ones do"
        );
        findings.push(
            Finding::new(Severity::Warning, text)
                .evidence("imbalance", imbalance)
                .cure("Sampling::Balanced, and a metric for each class"),
        );
    }
    Ok(findings)
}
