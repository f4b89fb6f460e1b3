//! How far values scatter around their mean.

use crate::counting::Counted;
use crate::measure::Tally;
use crate::rows::Rows;

/// The mean over all outputs of what `each` says of one, which is NaN if any is.
pub(crate) fn spread(width: usize, each: fn(&Column) -> f64) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: vec![Column::default(); width.max(1)],
        add: |columns: &mut Vec<Column>, rows: Rows<'_>| {
            for (column, x, y, weight) in rows.columns(columns.len()) {
                columns[column].add(x, y, weight);
            }
        },
        value: move |columns: &Vec<Column>| {
            if columns.iter().any(|column| column.rows == 0) {
                return f64::NAN;
            }
            columns.iter().map(each).sum::<f64>() / columns.len() as f64
        },
    })
}

/// Sums of one output.
#[derive(Clone, Copy, Default)]
pub(crate) struct Column {
    pub rows: u64,
    pub targets: Spread,
    /// Of `y − x`.
    pub differences: Spread,
    /// Σ(x − y)²
    pub missed: f64,
}

impl Column {
    fn add(&mut self, x: f64, y: f64, weight: f64) {
        self.rows += 1;
        self.targets.add(y, weight);
        self.differences.add(y - x, weight);
        self.missed += weight * (x - y).powi(2);
    }

    /// How much of the scatter is explained, where so much is not.
    pub fn explained(&self, not: f64) -> f64 {
        match (self.targets.scatter != 0.0, not == 0.0) {
            (true, _) => 1.0 - not / self.targets.scatter,
            (false, true) => 1.0,
            (false, false) if not.is_nan() => f64::NAN,
            (false, false) => 0.0,
        }
    }
}

/// A mean, and Σ(v − mean)² around it, by Welford's method (Technometrics 4, 1962) with West's
/// weights (Commun. ACM 22, 1979).
#[derive(Clone, Copy, Default)]
pub(crate) struct Spread {
    weight: f64,
    mean: f64,
    pub scatter: f64,
}

impl Spread {
    fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        let off = value - self.mean;
        self.mean += off * (weight / self.weight);
        self.scatter += weight * off * (value - self.mean);
    }
}
