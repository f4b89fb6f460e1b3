//! Which rows serve for what.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::DataError;
use trainbook_core::random::{Seed, Stream};

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

/// How to divide rows among training, validation and test. The sizes are the fractions of all rows,
/// rounded by largest remainder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    fractions: [f64; 3],
    how: How,
}

/// By what rows are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Stratified,
    Random,
    InOrder,
}

impl Split {
    /// Each class is divided in the same proportions: a part's number of rows of a class differs
    /// from its exact share by at most 1.
    pub fn stratified(train: f64, validation: f64, test: f64) -> Self {
        Self { fractions: [train, validation, test], how: How::Stratified }
    }

    /// Rows are divided whatever their target is.
    pub fn random(train: f64, validation: f64, test: f64) -> Self {
        Self { fractions: [train, validation, test], how: How::Random }
    }

    /// The first rows are to be trained on, those behind them for validation, the last for the
    /// test: for what is ordered in time, and for text.
    pub fn in_order(train: f64, validation: f64, test: f64) -> Self {
        Self { fractions: [train, validation, test], how: How::InOrder }
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

    /// Divides the rows by the stream "split": index c shuffles class c when stratified, index 0
    /// all rows otherwise.
    pub(super) fn divide(
        &self,
        rows: usize,
        labels: Option<&[u32]>,
        classes: Option<usize>,
        seed: Seed,
    ) -> Result<Parts, DataError> {
        let fractions = self.exact_fractions()?;
        let refuse = |reason| Err(DataError::Refused { action: "split", reason });
        let sizes = largest_remainder(rows, fractions);
        for (part, (&size, &fraction)) in Part::ALL.iter().zip(sizes.iter().zip(&self.fractions)) {
            if size == 0 && fraction > 0.0 {
                return refuse(format!(
                    "{rows} rows leave none for {part}, whose fraction is {fraction}; add rows or change it"
                ));
            }
        }
        let mut groups: Vec<Vec<usize>> = match (self.how, labels) {
            (How::Random | How::InOrder, _) => vec![(0..rows).collect()],
            (How::Stratified, Some(labels)) => {
                let mut groups = vec![Vec::new(); classes.unwrap_or(0)];
                labels
                    .iter()
                    .enumerate()
                    .for_each(|(row, &label)| groups[label as usize].push(row));
                groups
            }
            (How::Stratified, None) => {
                let found = if classes.is_some() { "several classes" } else { "real numbers" };
                return refuse(format!(
                    "a stratified split needs a class for each row, and the targets are {found}; \
                     use Split::random"
                ));
            }
        };
        let group_sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let stream = Stream::new(seed, "split");
        let mut parts = Parts::default();
        for ((index, group), counts) in
            groups.iter_mut().enumerate().zip(share_out(&group_sizes, fractions, sizes))
        {
            if self.how != How::InOrder {
                stream.at(0, index as u64).shuffle(group);
            }
            let mut rest = &group[..];
            for (part, count) in parts.iter_mut().zip(counts) {
                let (taken, left) = rest.split_at(count.min(rest.len()));
                part.extend_from_slice(taken);
                rest = left;
            }
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        if let (Some(labels), Some(classes)) = (labels, classes) {
            let mut trained = vec![false; classes];
            parts[Part::Train as usize]
                .iter()
                .for_each(|&row| trained[labels[row] as usize] = true);
            if let Some(class) = trained.iter().position(|&trained| !trained) {
                let rows = labels.iter().filter(|&&label| label as usize == class).count();
                let reason =
                    format!("none of the rows of class {class} ({rows} of them) falls to train");
                return refuse(format!(
                    "{reason}; add rows of it, give train a larger fraction or leave the class out"
                ));
            }
        }
        Ok(parts)
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

/// The whole part of a share. A hair is added, because 0.29 · 100 is 28.999999999999996 in f64.
fn whole(rows: usize, fraction: f64) -> usize {
    (rows as f64 * fraction + 1e-9).floor() as usize
}

/// Whole numbers in the proportions of `fractions` that sum to `rows` (Hamilton's method): each
/// share is rounded down, and what is left goes to the largest remainders, the earlier part first
/// where they are equal.
fn largest_remainder(rows: usize, fractions: [f64; 3]) -> [usize; 3] {
    let mut sizes = fractions.map(|fraction| whole(rows, fraction));
    let remainder =
        |part: usize| rows as f64 * fractions[part] - whole(rows, fractions[part]) as f64;
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    let left = rows.saturating_sub(sizes.iter().sum());
    order.into_iter().take(left).for_each(|part| sizes[part] += 1);
    sizes
}

/// How many rows of each group go to each part, such that the parts' totals are `sizes` and no
/// group is more than 1 away from its exact share.
///
/// Rounding each group by itself would give other totals. Instead each share is rounded down, and
/// the rows left of a group (at most 2) go to the parts that still lack most, at most one to each:
/// Ryser's construction of a 0-1 matrix with given row and column sums (Canad. J. Math. 9, 1957),
/// which always succeeds here. Small groups choose first, so that a rare class reaches train.
fn share_out(groups: &[usize], fractions: [f64; 3], sizes: [usize; 3]) -> Vec<[usize; 3]> {
    let mut shares: Vec<[usize; 3]> =
        groups.iter().map(|&rows| fractions.map(|fraction| whole(rows, fraction))).collect();
    let mut lacking: [usize; 3] = std::array::from_fn(|part| {
        sizes[part].saturating_sub(shares.iter().map(|share| share[part]).sum())
    });
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&group| groups[group]);
    for group in order {
        let left = groups[group].saturating_sub(shares[group].iter().sum());
        let mut parts = [0, 1, 2];
        parts.sort_by_key(|&part| std::cmp::Reverse(lacking[part]));
        for part in parts.into_iter().take(left) {
            shares[group][part] += 1;
            lacking[part] = lacking[part].saturating_sub(1);
        }
    }
    shares
}
