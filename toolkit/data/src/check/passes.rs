//! Preprocessing that gives other values the second time.

use super::Seen;
use crate::DataError;
use crate::report::{Finding, Severity};

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let text =
        "two passes over the data differ; preprocessing must give the same values every time";
    Ok(match seen.report.deterministic {
        true => Vec::new(),
        false => vec![Finding::new(Severity::Error, text)],
    })
}
