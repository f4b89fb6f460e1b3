//! What a look at the data found, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Part;

/// The data report, made by [`Dataset::check`](crate::Dataset::check). As text it is aligned for a terminal.
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
    /// Whether targets are scaled under a logarithm
    /// ([`TargetScaling::Log1p`](crate::TargetScaling::Log1p)).
    pub log1p_targets: bool,
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
    /// Do real-valued targets belong to their rows? `None` for classes or without a validation part.
    pub value_probe: Option<ValueProbe>,
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
    /// Whether its logarithm, ln(1 + x), is normalised in its place.
    pub log1p: bool,
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

/// A simple classifier's accuracy with the labels as they are and with shuffled ones.
///
/// The classifier assigns a row to the nearest class mean, after each feature is divided by its
/// standard deviation. It is fitted to the training part and judged on the validation part. What it
/// learns of labels that belong to other rows is chance; so real labels must do clearly better than
/// shuffled ones (a permutation test; Good, *Permutation Tests*, 2000). It sees what is simple:
/// labels of the next row in a file whose rows have an order can pass it with a low accuracy, and a
/// target that is hard (parity, say) can fail it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Accuracy on the validation part, 0 to 1.
    pub accuracy: f64,
    /// Mean accuracy when the labels of the validation part are shuffled (20 times, by the stream
    /// "check").
    pub shuffled_mean: f64,
    /// Standard deviation of that accuracy over the shuffles.
    pub shuffled_std: f64,
}

impl Probe {
    /// Whether the real labels do clearly better: by more than 3 standard deviations, and strictly.
    pub fn is_aligned(&self) -> bool {
        self.accuracy > self.shuffled_mean + 3.0 * self.shuffled_std
    }
}

/// How well the nearest rows predict a real-valued target, with the targets as they are and with
/// shuffled ones.
///
/// The prediction for a row of the validation part is the mean target of the 10 nearest rows of the
/// training part, after each feature is divided by its standard deviation. R² is 1 − Σ(y − ŷ)² ⁄
/// Σ(y − ȳ)². At most 2000 rows of each part are looked at, and of several targets the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ValueProbe {
    /// R² on the validation part; 1 is perfect, 0 as good as the mean, and below 0 worse.
    pub r2: f64,
    /// Mean R² when the targets of the validation part are shuffled (20 times, by the stream
    /// "check").
    pub shuffled_mean: f64,
    /// Standard deviation of that R² over the shuffles.
    pub shuffled_std: f64,
}

impl ValueProbe {
    /// Whether the real targets do clearly better: by more than 3 standard deviations, and strictly.
    pub fn is_aligned(&self) -> bool {
        self.r2 > self.shuffled_mean + 3.0 * self.shuffled_std
    }
}

/// Something that deserves attention.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How much of it.
    pub severity: Severity,
    /// What it is, and how much there is of it.
    pub text: String,
    /// The numbers that it follows from, by name.
    pub evidence: BTreeMap<String, f64>,
    /// Some rows that show it, ten at most: places in the source, counted from 0.
    pub rows: Vec<usize>,
    /// Where a person finds each of those rows, if the source knows: lines of a table, files of
    /// images.
    pub places: Vec<String>,
    /// The call that mends it, if there is one.
    pub cure: Option<String>,
}

/// A finding shows so many rows.
const ROWS_SHOWN: usize = 10;

impl Finding {
    /// A finding without numbers, rows, places or cure.
    pub fn new(severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            severity,
            text,
            evidence: BTreeMap::new(),
            rows: Vec::new(),
            places: Vec::new(),
            cure: None,
        }
    }

    /// The same with a number that it follows from.
    #[must_use]
    pub fn evidence(mut self, name: &str, value: f64) -> Self {
        self.evidence.insert(name.to_owned(), value);
        self
    }

    /// The same with rows that show it, of which the first ten are kept.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.rows = rows.into_iter().take(ROWS_SHOWN).collect();
        self
    }

    /// The same with the call that mends it.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12} {}", self.severity.to_string(), self.text)?;
        if !self.rows.is_empty() {
            let rows: Vec<String> = self.rows.iter().map(ToString::to_string).collect();
            write!(f, "\n{:13}rows {}", "", rows.join(", "))?;
        }
        if !self.places.is_empty() {
            write!(f, "\n{:13}at   {}", "", self.places.join(", "))?;
        }
        match &self.cure {
            Some(cure) => write!(f, "\n{:13}cure {cure}", ""),
            None => Ok(()),
        }
    }
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

/// So many features under a logarithm are named.
const NAMED: usize = 5;

impl DataReport {
    /// Whether there is nothing worse than a note.
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

trainbook_core::shown_as_text!(DataReport);

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, validation, test] = self.parts;
        let over = |value: fn(&FeatureSummary) -> f32, pick: fn(f32, f32) -> f32| {
            self.features.iter().map(value).reduce(pick).unwrap_or_default()
        };
        let raw = (over(|x| x.min, f32::min), over(|x| x.max, f32::max));
        let normalized =
            (over(|x| x.normalized_min, f32::min), over(|x| x.normalized_max, f32::max));
        let std = over(|x| x.std as f32, f32::max);
        writeln!(f, "data         {}", self.source)?;
        writeln!(f, "fingerprint  {}", self.fingerprint)?;
        writeln!(
            f,
            "rows         {}: train {train}, validation {validation}, test {test}",
            train + validation + test
        )?;
        match self.features.len() {
            0 => writeln!(f, "features     none, rows are indices")?,
            width => {
                writeln!(f, "features     {width}, all values finite")?;
                writeln!(f, "  raw        {} to {}", raw.0, raw.1)?;
                writeln!(
                    f,
                    "  normalised {:.4} to {:.4}, standard deviations up to {std:.3}",
                    normalized.0, normalized.1
                )?;
                let mut under = self.features.iter().filter(|feature| feature.log1p);
                let count = under.clone().count();
                if count > 0 {
                    let mut names: Vec<&str> =
                        under.by_ref().take(NAMED).map(|feature| feature.name.as_str()).collect();
                    if count > NAMED {
                        names.push("…");
                    }
                    writeln!(f, "  ln(1 + x)  {count} of {width}: {}", names.join(", "))?;
                }
            }
        }
        match self.imbalance {
            Some(imbalance) => {
                writeln!(f, "classes      {}, imbalance {imbalance:.2}", self.classes.len())?;
                let name_width =
                    self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
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
            None if self.log1p_targets => {
                writeln!(f, "targets      real numbers, scaled by ln(1 + y)")?;
            }
            None => writeln!(f, "targets      real numbers")?,
        }
        let shared: usize = self.shared.iter().map(|shared| shared.rows).sum();
        writeln!(f, "duplicates   {}, shared between parts {shared}", self.duplicates)?;
        writeln!(
            f,
            "two passes   {}",
            if self.deterministic { "the same bits" } else { "differ" }
        )?;
        if let Some(probe) = self.probe {
            let (mean, std) = (probe.shuffled_mean, probe.shuffled_std);
            writeln!(
                f,
                "probe        accuracy {:.3}, with shuffled labels {mean:.3} ± {std:.3}",
                probe.accuracy
            )?;
        }
        if let Some(probe) = self.value_probe {
            let (mean, std) = (probe.shuffled_mean, probe.shuffled_std);
            writeln!(
                f,
                "probe        R² {:.3}, with shuffled targets {mean:.3} ± {std:.3}",
                probe.r2
            )?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        write!(
            f,
            "verdict      {}",
            if self.is_ok() { "ok" } else { "look at the findings before training" }
        )
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
