//! How much of the variance is explained, but for a constant.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::measure::{Measure, Tally};
use crate::values::spread::spread;

/// `explained_variance`: `1 − Var(y − x) / Var y` of each output (each of the last dimension, over
/// all rows and positions), averaged over the outputs: [`R2`](crate::R2) for outputs that may all
/// be off by one constant. Where all targets of an output are equal it is 1 if all differences are,
/// else 0. scikit-learn's `explained_variance_score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedVariance;

impl Measure for ExplainedVariance {
    fn name(&self) -> String {
        "explained_variance".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        spread(width, |column| column.explained(column.differences.scatter))
    }
}
