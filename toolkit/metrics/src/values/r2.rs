//! How much of the variance is explained.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::measure::{Measure, Tally};
use crate::values::spread::spread;

/// `r2`: `1 − Σ(x − y)² / Σ(y − mean y)²` of each output (each of the last dimension, over all rows
/// and positions), averaged over the outputs; 1 is perfect, 0 as good as the mean. Where all
/// targets of an output are equal it is 1 if they are met exactly, else 0. NaN with fewer than two
/// rows. scikit-learn's `r2_score`.
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
        spread(
            width,
            |column| if column.rows < 2 { f64::NAN } else { column.explained(column.missed) },
        )
    }
}
