//! Of the rows of a class the share that is taken for it.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::class_hits;
use crate::hits::recall;
use crate::measure::{Measure, Tally};

/// `macro_recall`: of the rows of a class the share that is taken for it, `right / rows`; 0 for a
/// class that does not occur. With [`Average::Micro`], and weighted, it is the accuracy.
/// scikit-learn's `recall_score` with `zero_division=0` and all labels; for the mean over the
/// classes that occur see [`BalancedAccuracy`](crate::BalancedAccuracy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recall {
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for Recall {
    fn name(&self) -> String {
        self.average.named("recall")
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of Recall", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let average = self.average;
        class_hits(width, move |hits| average.of_hits(hits, recall))
    }
}
