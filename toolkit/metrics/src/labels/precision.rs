//! Of the labels that are predicted the share that holds.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::label_hits;
use crate::hits::precision;
use crate::measure::{Measure, Tally};

/// `label_macro_precision`: of the rows for which a label is predicted, by a logit above 0, the
/// share for which it holds; 0 for a label that is never predicted. scikit-learn's
/// `precision_score` of indicators, with `zero_division=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelPrecision {
    /// How the numbers of the labels become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for LabelPrecision {
    fn name(&self) -> String {
        format!("label_{}", self.average.named("precision"))
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of LabelPrecision", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let average = self.average;
        label_hits(width, move |hits| average.of_hits(hits, precision))
    }
}
