//! What a look at the data found.

use std::fmt;

use serde::Serialize;

use super::duplicates::Duplicates;
use super::normalize::moments;
use super::{Batch, Dataset, Loader, Part, Probe, Targets, fingerprint::Fold};
use crate::random::{Seed, Stream};

/// The largest class may have this many times the rows of the smallest before that is a warning.
const IMBALANCE: f64 = 10.0;
/// The probe counts as weak when it gains less than this part of what lies between shuffled labels and perfection.
const WEAK: f64 = 0.2;
/// A normalised feature's standard deviation over the training part may be this large before it counts as unscaled.
const UNSCALED_STD: f64 = 3.0;
/// A normalised feature's values may be this far from 0 before it counts as unscaled.
const UNSCALED_VALUE: f64 = 100.0;

/// The data report, made by [`Dataset::check`]. As text it is aligned for a terminal.
///
/// That every value is finite is not among the findings: loading refuses other data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataReport {
    /// Where the data comes from.
    pub source: String,
    /// The data's fingerprint.
    pub fingerprint: String,
    /// How many rows each part has: train, validation, test.
    pub parts: [usize; 3],
    /// Every feature's range and spread, in order.
    pub features: Vec<FeatureSummary>,
    /// Every class's number of rows, in order; empty for real-valued targets.
    pub classes: Vec<ClassCount>,
    /// Rows of the largest class divided by rows of the smallest; `None` for real-valued targets.
    pub imbalance: Option<f64>,
    /// How many rows have exactly the features of an earlier row.
    pub duplicates: usize,
    /// Rows of one part whose features also occur in another.
    pub shared: Vec<SharedRows>,
    /// Whether two passes over all parts, shuffled alike and normalised, gave the same bits.
    pub deterministic: bool,
    /// Do labels belong to their rows? `None` for real-valued targets or without a validation part.
    pub probe: Option<Probe>,
    /// What deserves attention, the most severe first.
    pub findings: Vec<Finding>,
}

/// One feature's range and spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureSummary {
    /// The feature's name.
    pub name: String,
    /// The smallest raw value in all rows.
    pub min: f32,
    /// The largest raw value in all rows.
    pub max: f32,
    /// Whether all rows of the training part have the same value.
    pub constant: bool,
    /// The smallest normalised value in all rows.
    pub normalized_min: f32,
    /// The largest normalised value in all rows.
    pub normalized_max: f32,
    /// Mean of the normalised values over the training part.
    pub mean: f64,
    /// Population standard deviation of the normalised values over the training part.
    pub std: f64,
}

/// A class's number of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class's name.
    pub name: String,
    /// Its rows, of all parts.
    pub rows: usize,
}

/// Rows that leak from one part to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SharedRows {
    /// One part.
    pub part: Part,
    /// How many of its rows have features that also occur in the other part.
    pub rows: usize,
    /// The other part.
    pub also_in: Part,
}

/// Something that deserves attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much of it.
    pub severity: Severity,
    /// What it is.
    pub text: String,
}

/// How much attention a finding deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Training will work, but its result may mislead.
    Warning,
    /// Training on this makes no sense.
    Error,
}

impl DataReport {
    pub(super) fn new(data: &Dataset) -> Self {
        let features = summarize(data);
        let groups = Duplicates::new(data);
        let classes = count(data);
        let rows = || classes.iter().map(|class| class.rows as f64);
        let imbalance =
            (!classes.is_empty()).then(|| rows().fold(0.0, f64::max) / rows().fold(f64::INFINITY, f64::min));
        let mut report = Self {
            source: data.source().to_owned(),
            fingerprint: data.fingerprint().hash,
            parts: Part::ALL.map(|part| data.part(part).len()),
            duplicates: groups.count(),
            shared: groups.shared(data),
            deterministic: pass(data) == pass(data),
            probe: Probe::new(data, &features),
            findings: Vec::new(),
            features,
            classes,
            imbalance,
        };
        report.findings = report.judge();
        report
    }

    /// Whether there is nothing worse than a note.
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |severity, text| findings.push(Finding { severity, text });
        if !self.deterministic {
            add(
                Severity::Error,
                "two passes over the data differ; preprocessing must give the same values every time".to_owned(),
            );
        }
        if self.classes.len() == 1 {
            add(Severity::Error, "there is only one class; a classifier needs at least two".to_owned());
        }
        if let Some(probe) = self.probe {
            let Probe { accuracy, shuffled_mean: mean, shuffled_std: std } = probe;
            let text = format!(
                "a simple classifier reaches {accuracy:.3} with them and {mean:.3} ± {std:.3} with shuffled ones"
            );
            if !probe.is_aligned() {
                add(
                    Severity::Warning,
                    format!("labels may not belong to their rows: {text}; look at some rows and their labels"),
                );
            } else if accuracy - mean < WEAK * (1.0 - mean) {
                add(Severity::Note, format!("labels are hard to predict, or some belong to other rows: {text}"));
            }
        }
        for SharedRows { part, rows, also_in } in &self.shared {
            let text = format!("{rows} rows of {part} have the same features as rows of {also_in}");
            add(
                Severity::Warning,
                format!("{text}; results on {part} will look too good, remove the copies before the split"),
            );
        }
        if let Some(imbalance) = self.imbalance.filter(|&ratio| ratio > IMBALANCE) {
            let text = format!("the largest class has {imbalance:.1} times the rows of the smallest");
            add(Severity::Warning, format!("{text}; accuracy will hide how the small ones do"));
        }
        let far = |x: f32| f64::from(x.abs()) > UNSCALED_VALUE;
        let unscaled = |f: &&FeatureSummary| f.std > UNSCALED_STD || far(f.normalized_min) || far(f.normalized_max);
        if let Some(text) = list(self.features.iter().filter(unscaled)) {
            let limits = format!(
                "a standard deviation above {UNSCALED_STD} or values beyond ±{UNSCALED_VALUE} after normalisation"
            );
            add(
                Severity::Warning,
                format!("unscaled features: {text} ({limits}); use Normalize::standard() or divide_by"),
            );
        }
        if let Some(text) = list(self.features.iter().filter(|feature| feature.constant)) {
            add(Severity::Note, format!("constant in train, so nothing can be learnt from them: features {text}"));
        }
        if self.duplicates > 0 {
            add(Severity::Note, format!("{} rows have the same features as an earlier row", self.duplicates));
        }
        if self.parts[Part::Validation as usize] == 0 {
            add(
                Severity::Note,
                "there is no validation part, so whether labels belong to their rows was not checked".to_owned(),
            );
        } else if self.classes.is_empty() {
            add(
                Severity::Note,
                "targets are real numbers; whether they belong to their rows was not checked".to_owned(),
            );
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, validation, test] = self.parts;
        let over = |value: fn(&FeatureSummary) -> f32, pick: fn(f32, f32) -> f32| {
            self.features.iter().map(value).reduce(pick).unwrap_or_default()
        };
        let raw = (over(|x| x.min, f32::min), over(|x| x.max, f32::max));
        let normalized = (over(|x| x.normalized_min, f32::min), over(|x| x.normalized_max, f32::max));
        let std = over(|x| x.std as f32, f32::max);
        writeln!(f, "data         {}", self.source)?;
        writeln!(f, "fingerprint  {}", self.fingerprint)?;
        writeln!(f, "rows         {}: train {train}, validation {validation}, test {test}", train + validation + test)?;
        let width = self.features.len();
        writeln!(f, "features     {width}, all values finite")?;
        writeln!(f, "  raw        {} to {}", raw.0, raw.1)?;
        writeln!(f, "  normalised {:.4} to {:.4}, standard deviations up to {std:.3}", normalized.0, normalized.1)?;
        match self.imbalance {
            Some(imbalance) => {
                writeln!(f, "classes      {}, imbalance {imbalance:.2}", self.classes.len())?;
                let name_width = self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
                let most = self.classes.iter().map(|class| class.rows).max().unwrap_or(1).max(1);
                let row_width = most.to_string().len();
                for ClassCount { name, rows } in &self.classes {
                    writeln!(
                        f,
                        "  {name:>name_width$}  {rows:>row_width$} {}",
                        "█".repeat((rows * 30).div_ceil(most))
                    )?;
                }
            }
            None => writeln!(f, "targets      real numbers")?,
        }
        let shared: usize = self.shared.iter().map(|shared| shared.rows).sum();
        writeln!(f, "duplicates   {}, shared between parts {shared}", self.duplicates)?;
        writeln!(f, "two passes   {}", if self.deterministic { "the same bits" } else { "differ" })?;
        if let Some(probe) = self.probe {
            let (mean, std) = (probe.shuffled_mean, probe.shuffled_std);
            writeln!(f, "probe        accuracy {:.3}, with shuffled labels {mean:.3} ± {std:.3}", probe.accuracy)?;
        }
        for Finding { severity, text } in &self.findings {
            writeln!(f, "{:<12} {text}", severity.to_string())?;
        }
        write!(f, "verdict      {}", if self.is_ok() { "ok" } else { "look at the findings before training" })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Some names and how many more there are; `None` without any.
fn list<'a>(features: impl Iterator<Item = &'a FeatureSummary>) -> Option<String> {
    let names: Vec<String> = features.map(|feature| format!("{:?}", feature.name)).collect();
    match names.len() {
        0 => None,
        1..=8 => Some(names.join(", ")),
        count => Some(format!("{} and {} more", names[..8].join(", "), count - 8)),
    }
}

fn summarize(data: &Dataset) -> Vec<FeatureSummary> {
    let (width, normalization) = (data.width(), data.normalization());
    let mut train = vec![0.0; data.part(Part::Train).len() * width];
    for (out, &row) in train.chunks_exact_mut(width).zip(data.part(Part::Train)) {
        normalization.apply(data.features(row), out);
    }
    let first = data.part(Part::Train).first().map(|&row| data.features(row)).unwrap_or_default();
    let mut features: Vec<FeatureSummary> = moments(width, train.chunks_exact(width))
        .into_iter()
        .zip(data.feature_names())
        .map(|(moments, name)| FeatureSummary {
            name: name.clone(),
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            constant: true,
            normalized_min: f32::INFINITY,
            normalized_max: f32::NEG_INFINITY,
            mean: moments.mean,
            std: moments.std,
        })
        .collect();
    let mut normalized = vec![0.0; width];
    for row in 0..data.len() {
        normalization.apply(data.features(row), &mut normalized);
        for ((feature, &raw), &x) in features.iter_mut().zip(data.features(row)).zip(&normalized) {
            feature.min = feature.min.min(raw);
            feature.max = feature.max.max(raw);
            feature.normalized_min = feature.normalized_min.min(x);
            feature.normalized_max = feature.normalized_max.max(x);
        }
    }
    for &row in data.part(Part::Train) {
        for ((feature, x), first) in features.iter_mut().zip(data.features(row)).zip(first) {
            feature.constant &= x == first;
        }
    }
    features
}

fn count(data: &Dataset) -> Vec<ClassCount> {
    let mut classes: Vec<ClassCount> =
        data.class_names().into_iter().map(|name| ClassCount { name, rows: 0 }).collect();
    if let Targets::Classes(labels) = data.targets() {
        labels.iter().for_each(|&label| classes[label as usize].rows += 1);
    }
    classes
}

/// One hash over everything that a shuffled pass over all parts hands out.
fn pass(data: &Dataset) -> String {
    let mut hash = Fold::new("trainbook pass");
    let mut batch = Batch::default();
    for part in Part::ALL {
        let mut loader = Loader::new(data, part, 256, Some(Stream::new(Seed(0), "check")));
        loader.start(0);
        while loader.next(&mut batch) {
            hash.batch(&batch);
        }
    }
    hash.finish()
}
