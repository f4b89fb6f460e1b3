//! Categories that only some parts have.

use super::{Seen, list};
use crate::report::{Finding, Severity};
use crate::{DataError, Part};

/// A part that should have so many rows of a category and has none was not divided at random.
const EXPECTED: f64 = 10.0;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let Some(encoding) = seen.data.encoding() else { return Ok(Vec::new()) };
    let one_hot = encoding.spans().filter(|(column, ..)| column.is_one_hot());
    let found = one_hot.map(|(column, span, _)| {
        let features = &seen.data.feature_names()[span.clone()];
        look_at(seen, column.name(), features, span.start)
    });
    Ok(found.flatten().collect())
}

fn look_at(seen: &Seen<'_>, name: &str, features: &[String], first: usize) -> Vec<Finding> {
    let used = |feature: usize| seen.counts.features[first + feature].used;
    let sizes = seen.report.parts;
    let all: usize = sizes.iter().sum();
    let mut findings = Vec::new();
    for part in Part::ALL.into_iter().filter(|&part| sizes[part as usize] > 0) {
        let elsewhere = |feature: &usize| {
            let used = used(*feature);
            used[part as usize] == 0 && used.iter().sum::<usize>() > 0
        };
        let missing: Vec<usize> = (0..features.len()).filter(elsewhere).collect();
        let Some(names) = list(missing.iter().map(|&feature| features[feature].as_str())) else {
            continue;
        };
        let rows = |feature: &usize| used(*feature).iter().sum::<usize>();
        let most = missing.iter().map(rows).max().unwrap_or(0);
        let expected = most as f64 * sizes[part as usize] as f64 / all as f64;
        let (severity, why) = match part {
            Part::Train => (Severity::Warning, "nothing can be learnt of them"),
            _ if expected >= EXPECTED => (Severity::Warning, "the parts are not alike"),
            _ => (Severity::Note, "it says nothing of them"),
        };
        let text = format!(
            "categories of {name:?} that no row of {part} has: {names}; {why} ({expected:.1} rows \
             of the most frequent are expected by chance)"
        );
        findings.push(
            Finding::new(severity, text)
                .evidence("categories", missing.len() as f64)
                .evidence("expected_rows", expected)
                .cure(format!(".categories({name:?}, Categories::one_hot().rare_below(10))")),
        );
    }
    findings
}
