//! The mean precision over all thresholds.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::measure::{Measure, Tally};
use crate::ranking::{Ranking, average_precision};

/// `average_precision`: `Σ (Rₙ − Rₙ₋₁) Pₙ` over the thresholds of a class's probability, from the
/// largest down, with precision P and recall R: a summary of the precision–recall curve for classes
/// of unequal size, in which chance gives the class's share. With two classes it is that of the
/// second; with more each is taken against the rest, and is 0 for one that does not occur. NaN
/// where an output is. scikit-learn's `average_precision_score`. Memory: that of
/// [`RocAuc`](crate::RocAuc).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AveragePrecision {
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for AveragePrecision {
    fn name(&self) -> String {
        self.average.named_unless_macro("average_precision")
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of AveragePrecision", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Ranking::of_classes(width, self.average, average_precision)
    }
}
