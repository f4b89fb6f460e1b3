//! How much of the variance is explained.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};

use crate::measure::{Measure, Tally, with_values};

/// `r2`: `1 − Σ(x − y)² / Σ(y − mean y)²` of each output (each of the last dimension, over all rows
/// and positions), averaged over the outputs; 1 is perfect, 0 as
/// good as the mean. Where all targets of an output are equal it is 1 if they are met exactly, else
/// 0. scikit-learn's `r2_score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct R2;

impl Measure for R2 {
    fn name(&self) -> String {
        "r2".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Box::new(Counted { columns: vec![Column::default(); width.max(1)], at: 0 })
    }
}

struct Counted {
    columns: Vec<Column>,
    /// The column of the next output.
    at: usize,
}

/// Sums of one output.
#[derive(Clone, Copy, Default)]
struct Column {
    count: f64,
    /// Of the targets so far.
    mean: f64,
    /// Σ(y − mean y)², by Welford's method.
    scatter: f64,
    /// Σ(x − y)²
    missed: f64,
}

impl Column {
    fn value(&self) -> f64 {
        match (self.scatter > 0.0, self.missed == 0.0) {
            (true, _) => 1.0 - self.missed / self.scatter,
            (false, true) => 1.0,
            (false, false) => 0.0,
        }
    }
}

impl Tally for Counted {
    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        for (x, y) in with_values(outputs, targets) {
            let at = self.at;
            self.at = (at + 1) % self.columns.len();
            let column = &mut self.columns[at];
            column.count += 1.0;
            let off = y - column.mean;
            column.mean += off / column.count;
            column.scatter += off * (y - column.mean);
            column.missed += (x - y).powi(2);
        }
    }

    fn value(&self) -> f64 {
        if self.columns.iter().any(|column| column.count == 0.0) {
            return f64::NAN;
        }
        self.columns.iter().map(Column::value).sum::<f64>() / self.columns.len() as f64
    }
}
