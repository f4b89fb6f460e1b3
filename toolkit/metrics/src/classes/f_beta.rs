//! The mean of precision and recall of which one counts more.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::hits::class_hits;
use crate::hits::f_beta;
use crate::measure::{Measure, Tally};

/// `macro_f2` with β = 2, `macro_f0_5` with β = ½: `(1 + β²)·right / (β²·rows + taken)`, the
/// harmonic mean of precision and recall in which recall counts β² as much; 0 for a class that
/// neither occurs nor is predicted. scikit-learn's `fbeta_score` with `zero_division=0` and all
/// labels. Default: β = 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FBeta {
    /// How much recall counts beside precision; above 0.
    pub beta: f64,
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Default for FBeta {
    fn default() -> Self {
        Self { beta: 1.0, average: Average::Macro }
    }
}

impl Measure for FBeta {
    fn name(&self) -> String {
        self.average.named(&format!("f{}", self.beta).replace('.', "_"))
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        if !(self.beta > 0.0 && self.beta.is_finite()) {
            return Err(MetricError::Setting {
                setting: "beta of FBeta",
                value: self.beta.to_string(),
                expected: "a finite number above 0".to_owned(),
            });
        }
        self.average.check("the average of FBeta", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let Self { beta, average } = *self;
        class_hits(width, move |hits| average.of_hits(hits, |hits| f_beta(hits, beta)))
    }
}
