//! How far confidence is from what it promises.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::MetricError;
use crate::ReliabilityBins;
use crate::counting::Counted;
use crate::measure::{Measure, Tally};
use crate::rows::Rows;

/// `calibration_error`: the expected calibration error. Rows are put into bins of equal width by
/// the probability of their likeliest class, `((i − 1)/M, i/M]`; the mean over rows of how far
/// their bin's mean probability is from the share that is right in it. 0 is perfect. Guo et al.,
/// "On Calibration of Modern Neural Networks", ICML 2017, with their M = 15. [`ReliabilityBins`]
/// are what it is made of. NaN where an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrationError {
    /// How many bins there are; at least 1.
    pub bins: usize,
}

impl Default for CalibrationError {
    fn default() -> Self {
        Self { bins: 15 }
    }
}

impl Measure for CalibrationError {
    fn name(&self) -> String {
        "calibration_error".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        let _ = output;
        if self.bins > 0 {
            return Ok(());
        }
        Err(MetricError::Setting {
            setting: "bins of CalibrationError",
            value: "0".to_owned(),
            expected: "at least 1".to_owned(),
        })
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Box::new(Counted {
            counted: ReliabilityBins::new(self.bins),
            add: move |bins: &mut ReliabilityBins, rows: Rows<'_>| bins.add_rows(rows, width),
            value: ReliabilityBins::expected_error,
        })
    }
}
