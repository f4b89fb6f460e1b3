//! How far a predicted quantile is off.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::MetricError;
use crate::counting::mean_over_values;
use crate::measure::{Measure, Tally};

/// `pinball_0_9` with quantile 0.9: the mean of `q·(y − x)` where the target lies above the output,
/// and of `(1 − q)·(x − y)` where below; least where x is the q-quantile of y. Koenker and Bassett,
/// Econometrica 46, 1978; scikit-learn's `mean_pinball_loss`. Default: ½, which is half the mean
/// absolute difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pinball {
    /// Which quantile the outputs are to be; from 0 to 1.
    pub quantile: f64,
}

impl Default for Pinball {
    fn default() -> Self {
        Self { quantile: 0.5 }
    }
}

impl Measure for Pinball {
    fn name(&self) -> String {
        format!("pinball_{}", self.quantile).replace('.', "_")
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        let _ = output;
        if (0.0..=1.0).contains(&self.quantile) {
            return Ok(());
        }
        Err(MetricError::Setting {
            setting: "quantile of Pinball",
            value: self.quantile.to_string(),
            expected: "from 0 to 1".to_owned(),
        })
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        let q = self.quantile;
        mean_over_values(
            move |x, y| if y >= x { q * (y - x) } else { (1.0 - q) * (x - y) },
            |mean| mean,
        )
    }
}
