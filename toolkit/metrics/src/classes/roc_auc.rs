//! The area under the ROC curve.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::measure::{Measure, Tally};
use crate::ranking::{Ranking, roc_auc};

/// `roc_auc`: how often a row of a class is given a larger probability of it than a row of another
/// class, ties counting half (the Mann–Whitney statistic, by midranks): ½ is chance, 1 perfect.
/// With two classes it is that of the second; with more each is taken against the rest. NaN if a
/// class does not occur, or nothing else does, and where an output is NaN; weighted, classes that
/// do not occur are left out. Probabilities are compared by their logarithms, so that those near 0
/// and 1 do not tie. scikit-learn's `roc_auc_score` with `multi_class="ovr"`. Memory: all scores, 8
/// bytes for each class and 16 for each row, and 24 for each row and class while the value is
/// computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RocAuc {
    /// How the numbers of the classes become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for RocAuc {
    fn name(&self) -> String {
        self.average.named_unless_macro("roc_auc")
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of RocAuc", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Ranking::of_classes(width, self.average, roc_auc)
    }
}
