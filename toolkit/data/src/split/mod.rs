//! Which rows serve for what.
//!
//! A [`Split`] says by what rows are divided; each way has a file: `strata.rs` (at random, by class
//! or by target), `grouped.rs` and `ordered.rs`. `folds.rs` makes a split for each fold of a
//! [`KFold`], and `given.rs` keeps parts that somebody else has made.

mod folds;
mod given;
mod grouped;
mod ordered;
mod shares;
mod strata;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::Source;
use super::{DataError, RowMarks, Targets};
use trainbook_core::random::{Seed, Stream};

use folds::Fold;
use shares::largest_remainder;

pub use folds::KFold;
pub use given::GivenParts;
pub(super) use given::checked;
#[cfg(test)]
pub(super) use strata::quantile_bins;

/// What a row serves for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are fitted to it.
    Train,
    /// Decisions during and between trainings are made on it.
    Validation,
    /// Looked at once, at the end.
    Test,
}

impl Part {
    /// All parts, in the order of the split's fractions.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// What its metrics are called by: `val` in `val_loss`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// The rows of each part, ascending, in the order of [`Part::ALL`].
pub(super) type Parts = [Vec<usize>; 3];

/// What rows are divided by.
pub(super) struct Rows<'a> {
    pub(super) len: usize,
    /// `None` where targets are not in memory.
    pub(super) targets: Option<&'a Targets>,
    pub(super) targets_per_row: usize,
    /// `None` where targets are real numbers.
    pub(super) classes: Option<usize>,
    pub(super) marks: &'a RowMarks,
}

impl Rows<'_> {
    /// The class of each row, if it has one.
    fn labels(&self) -> Option<&[u32]> {
        match self.targets {
            Some(Targets::Classes(labels)) if self.targets_per_row == 1 => Some(labels),
            _ => None,
        }
    }

    /// What the targets are, for messages.
    fn kind(&self) -> &'static str {
        match (self.targets, self.classes) {
            (None, _) => "not in memory",
            (_, Some(_)) if self.targets_per_row == 1 => "classes",
            (_, Some(_)) => "several classes",
            (_, None) if self.targets_per_row == 1 => "real numbers",
            (_, None) => "several real numbers",
        }
    }
}

/// How to divide rows among training, validation and test. The sizes are the fractions of all rows,
/// rounded by largest remainder; where groups, a gap or equal times stand against that, they are as
/// near as can be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    fractions: [f64; 3],
    how: How,
    /// In rows or in the unit of the times.
    #[serde(default, skip_serializing_if = "is_zero")]
    gap: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fold: Option<Fold>,
}

/// By what rows are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Stratified,
    StratifiedValues { bins: usize },
    Random,
    Grouped,
    InOrder,
    InTime,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(gap: &f64) -> bool {
    *gap == 0.0
}

impl Split {
    /// Each class is divided in the same proportions: a part's number of rows of a class differs
    /// from its exact share by at most 1.
    pub fn stratified(train: f64, validation: f64, test: f64) -> Self {
        Self::new([train, validation, test], How::Stratified)
    }

    /// As [`stratified`](Self::stratified) for one real number as the target: its quantiles cut the
    /// rows into `bins` classes with about as many rows each (pandas's `qcut`), so that each part
    /// has small and large targets in the same proportions. 10 is usual.
    pub fn stratified_values(train: f64, validation: f64, test: f64, bins: usize) -> Self {
        Self::new([train, validation, test], How::StratifiedValues { bins })
    }

    /// Rows are divided whatever their target is.
    pub fn random(train: f64, validation: f64, test: f64) -> Self {
        Self::new([train, validation, test], How::Random)
    }

    /// No group of [`RowMarks::groups`] is in two parts: for several rows of one patient, speaker or
    /// photograph. Groups are drawn at random, and the sizes are so near to the fractions that no
    /// group's move to another part would bring them nearer.
    pub fn grouped(train: f64, validation: f64, test: f64) -> Self {
        Self::new([train, validation, test], How::Grouped)
    }

    /// The first rows are to be trained on, those behind them for validation, the last for the
    /// test: for what is ordered in time, and for text.
    pub fn in_order(train: f64, validation: f64, test: f64) -> Self {
        Self::new([train, validation, test], How::InOrder)
    }

    /// As [`in_order`](Self::in_order), by [`RowMarks::times`] instead of the rows' places. Rows of
    /// one time are in one part, the later one.
    pub fn in_time(train: f64, validation: f64, test: f64) -> Self {
        Self::new([train, validation, test], How::InTime)
    }

    /// Leaves out what is too near to the future: rows at most `gap` before the first row of the
    /// next part are in no part, as with scikit-learn's [TimeSeriesSplit]. The unit is that of the
    /// times for [`in_time`](Self::in_time), and rows for [`in_order`](Self::in_order); the default
    /// is 0.
    ///
    /// [TimeSeriesSplit]: https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.TimeSeriesSplit.html
    #[must_use]
    pub fn gap(mut self, gap: f64) -> Self {
        self.gap = gap;
        self
    }

    fn new(fractions: [f64; 3], how: How) -> Self {
        Self { fractions, how, gap: 0.0, fold: None }
    }

    /// Whether the parts depend on what a row is marked with.
    pub(super) fn needs_marks(&self) -> bool {
        matches!(self.how, How::Grouped | How::InTime)
    }

    /// Divides the rows of a source whose windows overlap; `None` where rows have nothing in common.
    pub(super) fn divide_windows(&self, source: &dyn Source) -> Result<Option<Parts>, DataError> {
        let fractions = self.exact_fractions()?;
        let Some(parts) = source.divide_in_order(fractions) else {
            return Ok(None);
        };
        let refuse = |reason| Err(DataError::Refused { action: "split", reason });
        if self.how != How::InOrder {
            return refuse(
                "windows overlap, so that parts drawn at random share what they are made of; use \
                 Split::in_order"
                    .to_owned(),
            );
        }
        if self.gap != 0.0 {
            return Err(self.refuse_gap("0 for windows, which never reach over a cut"));
        }
        for ((part, rows), fraction) in Part::ALL.iter().zip(&parts).zip(fractions) {
            if rows.is_empty() && fraction > 0.0 {
                return refuse(format!(
                    "no window falls to {part}, whose fraction is {fraction}; each must lie in one \
                     part with what it predicts, so make them shorter or the part larger"
                ));
            }
        }
        Ok(Some(parts))
    }

    /// Divides the rows by the stream "split".
    pub(super) fn divide(&self, rows: &Rows<'_>, seed: Seed) -> Result<Parts, DataError> {
        let fractions = self.exact_fractions()?;
        let stream = Stream::new(seed, "split");
        if self.gap != 0.0 && !matches!(self.how, How::InOrder | How::InTime) {
            return Err(self.refuse_gap("0 unless rows are divided in order or in time"));
        }
        let sizes = largest_remainder(rows.len, fractions);
        if self.fold.is_none() {
            self.check_sizes(&format!("{} rows", rows.len), sizes)?;
        }
        let mut parts = match (self.fold, self.how) {
            (Some(fold), how) => {
                let parts = fold.divide(rows, how, fractions[Part::Test as usize], &stream)?;
                let sizes = parts.each_ref().map(Vec::len);
                self.check_sizes(&format!("{} rows in folds", rows.len), sizes)?;
                parts
            }
            (None, How::Grouped) => {
                let groups = grouped::groups(rows)?;
                let parts = grouped::divide(&groups, sizes, &mut stream.at(0, 0));
                let sizes = parts.each_ref().map(Vec::len);
                self.check_sizes(&format!("{} groups", groups.len()), sizes)?;
                parts
            }
            (None, How::InOrder | How::InTime) => {
                self.check_gap()?;
                let times = match self.how {
                    How::InTime => ordered::times(rows)?.to_vec(),
                    _ => (0..rows.len).map(|row| row as f64).collect(),
                };
                let parts = ordered::divide(&times, sizes, self.gap);
                let found = format!("{} rows with a gap of {} between parts", rows.len, self.gap);
                self.check_sizes(&found, parts.each_ref().map(Vec::len))?;
                parts
            }
            (None, how) => strata::divide(strata::of(rows, how)?, fractions, sizes, &stream),
        };
        parts.iter_mut().for_each(|part| part.sort_unstable());
        check_classes(rows, &parts)?;
        Ok(parts)
    }

    /// Divides the rows that are trained on, which come first, and leaves the other parts as they are
    /// given.
    pub(super) fn divide_beside(
        &self,
        given: Parts,
        rows: &Rows<'_>,
        seed: Seed,
    ) -> Result<Parts, DataError> {
        let fractions = self.exact_fractions()?;
        let asked =
            |part: &Part| !given[*part as usize].is_empty() && fractions[*part as usize] > 0.0;
        if self.fold.is_some() && !given[Part::Validation as usize].is_empty() {
            return Err(DataError::Refused {
                action: "divide into folds",
                reason: "the validation part is a file, and each fold needs one of its own; leave \
                         `validation_file` out"
                    .to_owned(),
            });
        }
        if let Some(part) = Part::ALL.into_iter().skip(1).find(asked) {
            return Err(DataError::Setting {
                setting: "the split's fractions",
                value: format!("{} for {part}", fractions[part as usize]),
                expected: format!("0 for {part}, whose rows are a file of their own"),
            });
        }
        let len = given[Part::Train as usize].len();
        let (mut targets, mut marks) = (Targets::default(), rows.marks.clone());
        let first: Vec<usize> = (0..len).collect();
        if let Some(all) = rows.targets {
            targets.gather(all, &first, rows.targets_per_row);
        }
        marks.groups.iter_mut().for_each(|groups| groups.truncate(len));
        marks.times.iter_mut().for_each(|times| times.truncate(len));
        marks.weights.iter_mut().for_each(|weights| weights.truncate(len));
        let first = Rows {
            len,
            targets: rows.targets.map(|_| &targets),
            targets_per_row: rows.targets_per_row,
            classes: rows.classes,
            marks: &marks,
        };
        let mut parts = self.divide(&first, seed)?;
        parts.iter_mut().zip(given).skip(1).for_each(|(part, given)| part.extend(given));
        Ok(parts)
    }

    /// Refuses a part that was asked for and is empty. `found` is what was divided.
    fn check_sizes(&self, found: &str, sizes: [usize; 3]) -> Result<(), DataError> {
        for (part, (&size, &fraction)) in Part::ALL.iter().zip(sizes.iter().zip(&self.fractions)) {
            if size == 0 && fraction > 0.0 {
                let reason = format!(
                    "{found} leave none for {part}, whose fraction is {fraction}; add rows or change it"
                );
                return Err(DataError::Refused { action: "split", reason });
            }
        }
        Ok(())
    }

    fn check_gap(&self) -> Result<(), DataError> {
        if !(self.gap >= 0.0 && self.gap.is_finite()) {
            return Err(self.refuse_gap("a finite number of at least 0"));
        }
        if self.how == How::InOrder && self.gap.fract() != 0.0 {
            return Err(self.refuse_gap("a whole number of rows"));
        }
        Ok(())
    }

    fn refuse_gap(&self, expected: &str) -> DataError {
        DataError::Setting {
            setting: "the split's gap",
            value: self.gap.to_string(),
            expected: expected.to_owned(),
        }
    }

    /// The fractions, made to sum to 1 exactly if they nearly do.
    fn exact_fractions(&self) -> Result<[f64; 3], DataError> {
        let [train, validation, test] = self.fractions;
        let sum = train + validation + test;
        if train > 0.0 && validation >= 0.0 && test >= 0.0 && (sum - 1.0).abs() <= 1e-6 {
            return Ok(self.fractions.map(|fraction| fraction / sum));
        }
        let expected =
            "more than 0 for train, at least 0 for validation and test, and 1 in sum, for example 0.8, 0.1, 0.1"
                .to_owned();
        Err(DataError::Setting {
            setting: "the split's fractions",
            value: format!("{train}, {validation}, {test}"),
            expected,
        })
    }
}

/// Refuses parts that leave a class out of training.
pub(super) fn check_classes(rows: &Rows<'_>, parts: &Parts) -> Result<(), DataError> {
    let (Some(labels), Some(classes)) = (rows.labels(), rows.classes) else { return Ok(()) };
    let mut trained = vec![false; classes];
    parts[Part::Train as usize].iter().for_each(|&row| trained[labels[row] as usize] = true);
    let Some(class) = trained.iter().position(|&trained| !trained) else { return Ok(()) };
    let rows = labels.iter().filter(|&&label| label as usize == class).count();
    let reason = format!("none of the rows of class {class} ({rows} of them) falls to train");
    Err(DataError::Refused {
        action: "split",
        reason: format!(
            "{reason}; add rows of it, give train a larger fraction or leave the class out"
        ),
    })
}
