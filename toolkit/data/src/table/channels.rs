//! Columns of numbers as the channels of series.

use super::data::Data;
use super::{Missing, MissingRule, Table, quoted};
use crate::DataError;

impl Table {
    /// The values of these columns in these rows, rows × columns. Gaps are refused, or become a
    /// number that was said: one that is computed would tell of what comes later in the series.
    pub(super) fn channels(
        &self,
        columns: &[usize],
        rows: &[usize],
    ) -> Result<Vec<f32>, DataError> {
        let channels = columns.iter().map(|&column| self.channel(column, rows));
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        let row = |at| channels.iter().map(move |channel: &Vec<f32>| channel[at]);
        Ok((0..rows.len()).flat_map(row).collect())
    }

    fn channel(&self, column: usize, rows: &[usize]) -> Result<Vec<f32>, DataError> {
        let fill = self.constant_fill(column)?;
        let Data::Numbers(numbers) = &self.columns[column] else {
            let is_text = |&&row: &&usize| self.value(row, column).is_none();
            let Some(&row) = rows.iter().find(is_text) else {
                return Err(self.not_numbers(column));
            };
            let field = quoted(&self.field(row, column));
            let reason = format!("{field} is not a number; a channel of a series is of numbers");
            return Err(self.wrong(self.line(row), Some(column), reason));
        };
        let number = |&row: &usize| match (numbers[row], fill) {
            (number, Some(fill)) if number.is_nan() => Ok(fill),
            (number, None) if number.is_nan() => {
                let cure = format!(
                    "write a number, or fill all gaps with one by .missing({:?}, \
                     Missing::Constant(…))",
                    self.names[column]
                );
                Err(self.is_gap(row, column, &cure))
            }
            (number, _) if !(number as f32).is_finite() => Err(self.not_finite(row, column)),
            (number, _) => Ok(number as f32),
        };
        rows.iter().map(number).collect()
    }

    /// What a channel's gaps become, if that was said.
    pub(super) fn constant_fill(&self, column: usize) -> Result<Option<f32>, DataError> {
        let MissingRule { fill, indicator } = self.plan.missing_of(column);
        let reason = match fill {
            _ if indicator => "a feature is to tell of its gaps, and a series has no features but \
                               its channels; add a column of 0 and 1 to the file"
                .to_owned(),
            Missing::Refuse => return Ok(None),
            Missing::Constant(number) if (number as f32).is_finite() => {
                return Ok(Some(number as f32));
            }
            Missing::Constant(number) => {
                format!("its gaps are to be {number}; it must be a finite number of f32")
            }
            Missing::Text(text) => format!(
                "its gaps are to be {}, and a channel of a series is of numbers; use \
                 Missing::Constant",
                quoted(&text)
            ),
            Missing::Drop => "its rows with a gap are to be left out, which would join what is \
                              apart in time; use Missing::Constant, or fill them in the file"
                .to_owned(),
            Missing::Mean | Missing::Median | Missing::MostFrequent => {
                format!(
                    "its gaps are to be filled by Missing::{fill:?}, which tells each of what comes \
                     later in the series; use Missing::Constant, or fill them in the file with what \
                     was known before"
                )
            }
        };
        Err(self.wrong_column(column, reason))
    }

    pub(super) fn refuse_gaps_in_series(
        &self,
        column: usize,
        rows: &[usize],
        cure: &str,
    ) -> Result<(), DataError> {
        match rows.iter().find(|&&row| self.columns[column].is_gap(row)) {
            Some(&row) => Err(self.is_gap(row, column, cure)),
            None => Ok(()),
        }
    }

    fn is_gap(&self, row: usize, column: usize, cure: &str) -> DataError {
        let reason = format!("{}; {cure}", self.gap(row, column));
        self.wrong(self.line(row), Some(column), reason)
    }

    /// Refuses a column that is to be two things. `roles` are columns and what they are to be.
    pub(super) fn refuse_two_roles(&self, roles: &[(usize, &str)]) -> Result<(), DataError> {
        for (at, (column, role)) in roles.iter().enumerate() {
            let Some((_, other)) = roles[..at].iter().find(|(known, _)| known == column) else {
                continue;
            };
            let reason = match other == role {
                true => format!("it is a {role} twice; name each column once"),
                false => format!("it is a {other} and a {role}; it can be one of them"),
            };
            return Err(self.wrong_column(*column, reason));
        }
        Ok(())
    }
}
