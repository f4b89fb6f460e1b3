//! The mean relative difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_values;
use crate::measure::{Measure, Tally};

/// `mape`: the mean of `∣x − y∣ / ∣y∣` over all outputs, as a share: 0.1 is ten percent. Below 2⁻⁵²
/// `∣y∣` counts as that, so that targets of 0 make it huge. scikit-learn's
/// `mean_absolute_percentage_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanAbsolutePercentage;

impl Measure for MeanAbsolutePercentage {
    fn name(&self) -> String {
        "mape".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        mean_over_values(|x, y| (x - y).abs() / y.abs().max(f64::EPSILON), |mean| mean)
    }
}
