//! The harmonic mean of precision and recall of labels.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::f_beta;
use crate::hits::label_hits;
use crate::measure::{Measure, Tally};

/// `label_macro_f1`: `2·right / (holds + predicted)` of each label, which is predicted by a logit
/// above 0; 0 for a label that neither holds nor is predicted. With one label it is that label's.
/// NaN predicts nothing. scikit-learn's `f1_score` of indicators, with `zero_division=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelF1 {
    /// How the numbers of the labels become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for LabelF1 {
    fn name(&self) -> String {
        format!("label_{}", self.average.named("f1"))
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of LabelF1", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let average = self.average;
        label_hits(width, move |hits| average.of_hits(hits, |hits| f_beta(hits, 1.0)))
    }
}
