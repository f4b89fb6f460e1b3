//! The harmonic mean of precision and recall.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::class_hits;
use crate::hits::f_beta;
use crate::measure::{Measure, Tally};

/// `macro_f1`: `2·right / (rows + taken)`, the harmonic mean of precision and recall; 0 for a class
/// that neither occurs nor is predicted. scikit-learn's `f1_score` with `zero_division=0` and all
/// labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct F1 {
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for F1 {
    fn name(&self) -> String {
        self.average.named("f1")
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of F1", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let average = self.average;
        class_hits(width, move |hits| average.of_hits(hits, |hits| f_beta(hits, 1.0)))
    }
}
