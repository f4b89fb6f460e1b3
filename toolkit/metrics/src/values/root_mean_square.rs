//! The root of the mean squared difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_values;
use crate::measure::{Measure, Tally};

/// `rmse`: `√ mean (x − y)²` over all outputs, in the unit of the targets. The root of
/// scikit-learn's `mean_squared_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootMeanSquare;

impl Measure for RootMeanSquare {
    fn name(&self) -> String {
        "rmse".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        mean_over_values(|x, y| (x - y).powi(2), f64::sqrt)
    }
}
