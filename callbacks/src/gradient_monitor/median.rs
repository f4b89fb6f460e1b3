//! Medians over an epoch, of which not every step is kept.

use serde::{Deserialize, Serialize};

/// How many rows are kept. When there are more, every second one goes, and from then on every second
/// one of those that come is left out: those that are kept are spread evenly over the epoch.
const AT_MOST: usize = 256;

/// Rows of numbers, one row of as many numbers for each step that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rows {
    rows: Vec<Vec<f64>>,
    seen: u64,
    /// One row in 2 to the power of this is kept.
    thinned: u32,
}

impl Rows {
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        if self.seen.is_multiple_of(1 << self.thinned) {
            self.rows.push(row.into_iter().collect());
        }
        self.seen += 1;
        if self.rows.len() > AT_MOST {
            let mut even = false;
            self.rows.retain(|_| {
                even = !even;
                even
            });
            self.thinned += 1;
        }
    }

    /// The median of what `of` makes of each row, where that is a finite number; the mean of both in
    /// the middle, if there are two. `None` where it never is one.
    pub fn median(&self, of: impl Fn(&[f64]) -> f64) -> Option<f64> {
        let mut values: Vec<f64> =
            self.rows.iter().map(|row| of(row)).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len().checked_sub(1)?;
        Some((values[middle / 2] + values[middle.div_ceil(2)]) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: impl IntoIterator<Item = f64>) -> Rows {
        let mut rows = Rows::default();
        values.into_iter().for_each(|value| rows.push([value]));
        rows
    }

    #[test]
    fn medians_are_those_of_numpy() {
        let median = |values: &[f64]| rows(values.iter().copied()).median(|row| row[0]);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(median(&[5.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[f64::NAN, 1.0, f64::INFINITY, 3.0, f64::NEG_INFINITY]), Some(2.0));
        assert_eq!(median(&[f64::NAN]), None);
    }

    #[test]
    fn of_a_long_epoch_the_rows_are_spread_evenly() {
        for steps in [256, 257, 1000, 5000] {
            let rows = rows((0..steps).map(f64::from));
            let kept: Vec<f64> = rows.rows.iter().map(|row| row[0]).collect();
            assert!(
                kept.len() <= 256 && kept.len() > 128.min(steps as usize - 1),
                "{}",
                kept.len()
            );
            let apart = kept[1] - kept[0];
            assert!(kept.windows(2).all(|pair| pair[1] - pair[0] == apart), "{kept:?}");
            assert_eq!(kept[0], 0.0);
            assert!(f64::from(steps) - kept[kept.len() - 1] <= apart, "the end is there too");
            let median = rows.median(|row| row[0]).unwrap();
            assert!((median - f64::from(steps - 1) / 2.0).abs() <= apart, "{median}");
        }
        assert_eq!(rows((0..256).map(f64::from)).rows.len(), 256);
    }
}
