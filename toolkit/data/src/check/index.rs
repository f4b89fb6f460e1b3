//! A column that only counts the rows.

use super::Seen;
use crate::DataError;
use crate::report::{Finding, Severity};

/// What files call a column that counts rows; written small.
const NAMES: [&str; 7] = ["", "unnamed: 0", "id", "index", "idx", "row", "row_id"];
/// Fewer rows may count up by chance or on purpose.
const LEAST_ROWS: usize = 10;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    if !seen.is_tabular() || seen.data.len() < LEAST_ROWS {
        return Ok(findings);
    }
    for (at, counts) in seen.counts.features.iter().enumerate() {
        let name = seen.name(at);
        let named = NAMES.contains(&name.trim().to_lowercase().as_str());
        // A column without a name is called by its place.
        let nameless = at == 0 && name == "0" && seen.data.width() > 1;
        if !counts.counts_up || !(named || nameless) {
            continue;
        }
        let severity = if named { Severity::Warning } else { Severity::Note };
        let feature = &seen.report.features[at];
        let text = format!(
            "feature {name:?} is an index: it counts the rows from {} to {}, and what is learnt \
             from it holds for no other row",
            feature.min, feature.max
        );
        findings.push(
            Finding::new(severity, text)
                .evidence("first", f64::from(feature.min))
                .evidence("last", f64::from(feature.max))
                .cure(format!(".ignore({name:?})")),
        );
    }
    Ok(findings)
}
