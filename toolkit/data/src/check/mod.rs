//! Looks for what commonly goes wrong with data. **Open this file first to add a kind of finding.**
//!
//! `Dataset::check` reads every row a few times (`summary.rs`), takes a sample of each part
//! (`sample.rs`), and hands both to every [`Look`] of the list below. What a look compares rows by is
//! in `statistics.rs` and `neighbours.rs`.

mod alignment;
mod categories;
mod classes;
mod constants;
mod drift;
mod duplicates;
mod features;
mod images;
mod index;
mod labels;
mod leakage;
mod marks;
mod near;
mod neighbours;
mod passes;
mod probe;
mod sample;
mod seen;
mod statistics;
mod summary;
mod targets;
#[cfg(test)]
mod tests;
mod text;
mod words;

use seen::Seen;

use super::report::{DataReport, Finding, Severity};
use super::{DataError, Dataset, Part};

/// Looks for one kind of finding. What it costs is bounded: at most a few passes over the rows, and
/// what takes longer than that looks at the samples.
type Look = fn(&Seen<'_>) -> Result<Vec<Finding>, DataError>;

/// What is looked for. Of findings that weigh alike, the report has the earlier ones first.
const LOOKS: [Look; 16] = [
    passes::look,
    classes::look,
    targets::look,
    alignment::look,
    leakage::look,
    duplicates::look,
    near::look,
    marks::look,
    drift::look,
    categories::look,
    images::look,
    features::look,
    constants::look,
    index::look,
    labels::look,
    words::look,
];

/// What is looked for in a text, whose windows overlap on purpose and have no features.
const LOOKS_AT_TEXT: [Look; 3] = [passes::look, classes::look, text::look];

impl Dataset {
    /// Looks for what commonly goes wrong with data: labels that belong to other rows, a feature
    /// that gives the target away, rows that two parts share or nearly share, parts that differ,
    /// what is out of scale, constant, rare or a mere row number. Each [`Finding`] says how much of
    /// it there is, which rows show it, and what mends it.
    ///
    /// Takes milliseconds for thousands of rows and seconds for a million of 64 numbers. What needs more than a few passes looks at samples of at most
    /// 4096 rows a part, drawn by the stream "check". A row that cannot be read is a finding too,
    /// and then the only one.
    pub fn check(&self) -> DataReport {
        look(self).unwrap_or_else(|error| {
            let text = format!("the rows cannot be read to the end: failed to {error}");
            DataReport {
                findings: vec![Finding::new(Severity::Error, text)],
                ..DataReport::begin(self)
            }
        })
    }
}

impl DataReport {
    /// Of a data set at which nobody has looked yet.
    fn begin(data: &Dataset) -> Self {
        Self {
            source: data.source().to_owned(),
            fingerprint: String::new(),
            parts: Part::ALL.map(|part| data.part(part).len()),
            features: Vec::new(),
            log1p_targets: data.target_scaling().is_some_and(|scaling| scaling.log1p),
            classes: Vec::new(),
            imbalance: None,
            duplicates: 0,
            shared: Vec::new(),
            deterministic: false,
            probe: None,
            value_probe: None,
            findings: Vec::new(),
        }
    }
}

fn look(data: &Dataset) -> Result<DataReport, DataError> {
    let seen = Seen::new(data)?;
    let looks: &[Look] = if data.tokens().is_some() { &LOOKS_AT_TEXT } else { &LOOKS };
    let mut findings = Vec::new();
    for look in looks {
        findings.extend(look(&seen)?);
    }
    for finding in &mut findings {
        let places = finding.rows.iter().map(|&row| data.place(row));
        finding.places = places.collect::<Option<_>>().unwrap_or_default();
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(DataReport { findings, ..seen.report })
}

/// Some names and how many more there are; `None` without any.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.into_iter().map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => None,
        1..=8 => Some(names.join(", ")),
        count => Some(format!("{} and {} more", names[..8].join(", "), count - 8)),
    }
}
