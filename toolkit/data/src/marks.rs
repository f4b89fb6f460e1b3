//! What is known of rows beside features and targets.

use std::borrow::Cow;

use super::{DataError, Dataset, Part};

/// What is known of rows beside features and targets: by what they may be divided and drawn. Each
/// list has one entry for every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowMarks {
    /// What belongs together, such as the patient that a picture is of: rows of one number are of
    /// one group.
    pub groups: Option<Vec<u32>>,
    /// When a row was taken, in any unit; finite.
    pub times: Option<Vec<f64>>,
    /// How often a row is drawn, in proportion, or how much it counts; finite and at least 0.
    pub weights: Option<Vec<f32>>,
}

impl Dataset {
    /// The same data with the group of each row, for
    /// [`Split::grouped`](crate::Split::grouped); replaces the source's. The recipe keeps the parts
    /// that follow, but not the groups.
    ///
    /// # Errors
    /// There are more or fewer groups than rows.
    pub fn groups(mut self, groups: Vec<u32>) -> Result<Self, DataError> {
        check("groups", self.len(), &groups, |_| true)?;
        self.marks_mut(true).groups = Some(groups);
        Ok(self)
    }

    /// The same data with the time of each row, for
    /// [`Split::in_time`](crate::Split::in_time); replaces the source's. The recipe keeps the parts
    /// that follow, but not the times.
    ///
    /// # Errors
    /// There are more or fewer times than rows, or one is not finite.
    pub fn times(mut self, times: Vec<f64>) -> Result<Self, DataError> {
        check("times", self.len(), &times, |time| time.is_finite())?;
        self.marks_mut(true).times = Some(times);
        Ok(self)
    }

    /// The same data with the weight of each row, for
    /// [`Sampling::Weighted`](crate::Sampling::Weighted) or [`weigh_rows`](Self::weigh_rows);
    /// replaces the source's. The recipe does not keep them.
    ///
    /// # Errors
    /// There are more or fewer weights than rows, or one is not finite or below 0.
    pub fn weights(mut self, weights: Vec<f32>) -> Result<Self, DataError> {
        check("weights", self.len(), &weights, |w| w.is_finite() && *w >= 0.0)?;
        self.marks_mut(false).weights = Some(weights);
        Ok(self)
    }

    /// The same data whose rows count by their weights, in training and wherever it is judged: the
    /// mean loss is `Σ w·l / Σ w`, and metrics weigh as scikit-learn's do with `sample_weight`. A row
    /// of weight 0 is left out. Only ratios of weights matter. What is fitted to the training
    /// part, such as scales and fillings, is fitted to its rows without weights.
    ///
    /// # Errors
    /// Rows have no weights, or none above 0.
    pub fn weigh_rows(mut self) -> Result<Self, DataError> {
        let refuse = |reason: &str| {
            Err(DataError::Refused { action: "weigh the rows of", reason: reason.to_owned() })
        };
        match &self.marks().weights {
            None => {
                return refuse(
                    "they have no weights; say them by Table::weights or Dataset::weights",
                );
            }
            Some(weights) if weights.iter().all(|&weight| weight == 0.0) => {
                return refuse("no weight is above 0");
            }
            Some(_) => {}
        }
        self.weigh();
        Ok(self)
    }

    /// The rows of a part that count, ascending: all, or, where rows count by their weights
    /// ([`weigh_rows`](Self::weigh_rows)), those of a weight above 0. No others are trained on and
    /// judged.
    pub fn counting(&self, part: Part) -> Cow<'_, [usize]> {
        let rows = self.part(part);
        match &self.marks().weights {
            Some(weights) if self.is_weighed() => {
                rows.iter().copied().filter(|&row| weights[row] > 0.0).collect()
            }
            _ => Cow::Borrowed(rows),
        }
    }
}

/// Checks one of the lists.
fn check<T: std::fmt::Debug>(
    what: &str,
    rows: usize,
    list: &[T],
    good: impl Fn(&T) -> bool,
) -> Result<(), DataError> {
    let refuse = |reason| Err(DataError::Refused { action: "mark", reason });
    if list.len() != rows {
        return refuse(format!(
            "{} {what} for {rows} rows; there must be one for each row",
            list.len()
        ));
    }
    match list.iter().position(|mark| !good(mark)) {
        None => Ok(()),
        Some(row) => refuse(format!(
            "the {what} say {:?} for row {row}; it must be a finite number{}",
            list[row],
            if what == "weights" { " of at least 0" } else { "" }
        )),
    }
}
