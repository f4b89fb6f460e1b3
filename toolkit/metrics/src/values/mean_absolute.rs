//! The mean absolute difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_values;
use crate::measure::{Measure, Tally};

/// `mae`: the mean of `∣x − y∣` over all outputs, in the unit of the targets. scikit-learn's
/// `mean_absolute_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanAbsolute;

impl Measure for MeanAbsolute {
    fn name(&self) -> String {
        "mae".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        mean_over_values(|x, y| (x - y).abs(), |mean| mean)
    }
}
