//! Of what is taken for a class the share that is so rightly.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::class_hits;
use crate::hits::precision;
use crate::measure::{Measure, Tally};

/// `macro_precision`: of the rows taken for a class the share that is of it, `right / taken`; 0 for
/// a class for which nothing is taken. With [`Average::Micro`] all classes are thrown together,
/// which gives the accuracy. scikit-learn's `precision_score` with `zero_division=0` and all
/// labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Precision {
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for Precision {
    fn name(&self) -> String {
        self.average.named("precision")
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of Precision", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let average = self.average;
        class_hits(width, move |hits| average.of_hits(hits, precision))
    }
}
