//! The mean precision of labels over all thresholds.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::measure::{Measure, Tally};
use crate::ranking::{Ranking, average_precision};

/// `label_average_precision`: `Σ (Rₙ − Rₙ₋₁) Pₙ` over the thresholds of a label's logit, from the
/// largest down, with precision P and recall R; 0 for a label that never holds. NaN where an output
/// is. scikit-learn's `average_precision_score` of indicators. Memory: that of
/// [`LabelRocAuc`](crate::LabelRocAuc).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelAveragePrecision {
    /// How the numbers of the labels become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for LabelAveragePrecision {
    fn name(&self) -> String {
        format!("label_{}", self.average.named_unless_macro("average_precision"))
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of LabelAveragePrecision", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Ranking::of_labels(width, self.average, average_precision)
    }
}
