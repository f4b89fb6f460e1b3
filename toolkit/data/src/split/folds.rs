//! Cross-validation: every row is validated on once.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Stream;

use super::shares::largest_remainder;
use super::{How, Parts, Rows, Split, grouped, strata};
use crate::DataError;

/// How to divide rows into folds, of which each is the validation part once while the others are
/// trained on. Sizes differ by at most 1, or as little as can be where groups stay together.
///
/// ```
/// # use trainbook_data::{Dataset, KFold, Targets};
/// # use trainbook_core::random::Seed;
/// # let targets = Targets::Classes((0..20).map(|row| row % 2).collect());
/// # let data = Dataset::from_rows("example", 1, vec![0.0; 20], targets)?;
/// let folds = data.folds(&KFold::new(5).stratified().repeated(2), Seed(7))?;
/// assert_eq!(folds.len(), 10);
/// # Ok::<(), trainbook_data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KFold {
    k: usize,
    how: How,
    repeats: usize,
    test: f64,
}

impl KFold {
    /// So many folds, at least 2, at random.
    pub fn new(k: usize) -> Self {
        Self { k, how: How::Random, repeats: 1, test: 0.0 }
    }

    /// Each class is spread evenly: folds' numbers of rows of it differ by at most 1. Replaces
    /// [`grouped`](Self::grouped).
    #[must_use]
    pub fn stratified(mut self) -> Self {
        self.how = How::Stratified;
        self
    }

    /// As [`stratified`](Self::stratified) by quantiles of one real number; see
    /// [`Split::stratified_values`].
    #[must_use]
    pub fn stratified_values(mut self, bins: usize) -> Self {
        self.how = How::StratifiedValues { bins };
        self
    }

    /// No group of [`RowMarks::groups`](crate::RowMarks::groups) is in two folds. Groups go, large
    /// ones first, each to the fold that has fewest rows, as with scikit-learn's GroupKFold.
    /// Replaces [`stratified`](Self::stratified).
    #[must_use]
    pub fn grouped(mut self) -> Self {
        self.how = How::Grouped;
        self
    }

    /// Divides the rows anew so many times, at least once. All folds of one repeat come before those
    /// of the next.
    #[must_use]
    pub fn repeated(mut self, times: usize) -> Self {
        self.repeats = times;
        self
    }

    /// First sets this fraction of the rows aside for the test, the same for all folds; from 0 (the
    /// default) to less than 1.
    #[must_use]
    pub fn test(mut self, fraction: f64) -> Self {
        self.test = fraction;
        self
    }

    /// The split of each fold.
    ///
    /// # Errors
    /// There are fewer than 2 folds, no repeats, or the test's fraction is not from 0 to below 1.
    pub fn splits(&self) -> Result<Vec<Split>, DataError> {
        let refuse = |setting, value: String, expected: &str| {
            Err(DataError::Setting { setting, value, expected: expected.to_owned() })
        };
        if self.k < 2 {
            return refuse("the number of folds", self.k.to_string(), "at least 2, for example 5");
        }
        if self.repeats == 0 {
            return refuse("the folds' repeats", "0".to_owned(), "at least 1");
        }
        if !(0.0..1.0).contains(&self.test) {
            let expected = "from 0 to less than 1, for example 0.1";
            return refuse("the folds' fraction for the test", self.test.to_string(), expected);
        }
        let validation = (1.0 - self.test) / self.k as f64;
        let fractions = [1.0 - self.test - validation, validation, self.test];
        let fold = |number| Fold { k: self.k, repeat: number / self.k, number: number % self.k };
        Ok((0..self.k * self.repeats)
            .map(|number| Split { fold: Some(fold(number)), ..Split::new(fractions, self.how) })
            .collect())
    }
}

/// One of several folds, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fold {
    k: usize,
    repeat: usize,
    number: usize,
}

impl Fold {
    /// Divides the rows. The stream's epoch 0 draws the test, and 1 + r the folds of repeat r; the
    /// index is that of the stratum.
    pub(super) fn divide(
        self,
        rows: &Rows<'_>,
        how: How,
        test: f64,
        stream: &Stream,
    ) -> Result<Parts, DataError> {
        let repeat = 1 + self.repeat as u64;
        let fractions = [1.0 - test, 0.0, test];
        let sizes = largest_remainder(rows.len, fractions);
        if how == How::Grouped {
            let groups = grouped::groups(rows)?;
            let [mut rest, _, test] = grouped::divide(&groups, sizes, &mut stream.at(0, 0));
            rest.sort_unstable();
            let mut groups: Vec<Vec<usize>> =
                groups.into_iter().filter(|group| rest.binary_search(&group[0]).is_ok()).collect();
            self.check(groups.len(), "groups")?;
            stream.at(repeat, 0).shuffle(&mut groups);
            groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
            let mut folds = vec![Vec::new(); self.k];
            for group in groups {
                if let Some(fold) = folds.iter_mut().min_by_key(|fold| fold.len()) {
                    fold.extend_from_slice(&group);
                }
            }
            return Ok(self.gather(folds, test));
        }
        let all = strata::of(rows, how)?;
        let [_, _, mut test] = strata::divide(all.clone(), fractions, sizes, stream);
        test.sort_unstable();
        self.check(rows.len - test.len(), "rows")?;
        let mut folds = vec![Vec::new(); self.k];
        let mut next = 0;
        for (index, mut stratum) in all.into_iter().enumerate() {
            stratum.retain(|row| test.binary_search(row).is_err());
            stream.at(repeat, index as u64).shuffle(&mut stratum);
            // Each stratum goes on where the last one stopped, so that the folds' sizes differ by
            // at most 1, too.
            for row in stratum {
                folds[next % self.k].push(row);
                next += 1;
            }
        }
        Ok(self.gather(folds, test))
    }

    fn gather(self, folds: Vec<Vec<usize>>, test: Vec<usize>) -> Parts {
        let mut parts = [Vec::new(), Vec::new(), test];
        for (number, fold) in folds.into_iter().enumerate() {
            parts[usize::from(number == self.number)].extend(fold);
        }
        parts
    }

    fn check(self, found: usize, units: &str) -> Result<(), DataError> {
        if self.number < self.k && self.k <= found {
            return Ok(());
        }
        let reason = format!(
            "{found} {units} do not make fold {} of {}; there must be at least one for each, and \
             folds are counted from 0",
            self.number, self.k
        );
        Err(DataError::Refused { action: "split", reason })
    }
}
