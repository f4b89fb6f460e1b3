//! The area under the ROC curve of labels.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::MetricError;
use crate::measure::{Measure, Tally};
use crate::ranking::{Ranking, roc_auc};

/// `label_roc_auc`: how often a row for which a label holds has a larger logit of it than one for
/// which it does not, ties counting half; ½ is chance. NaN if a label always holds or never, and
/// where an output is NaN; weighted, labels that never hold are left out. scikit-learn's
/// `roc_auc_score` of indicators; as it only ranks, logits do as well as probabilities. Memory: 24
/// bytes for each label of each row, and as much again while the value is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelRocAuc {
    /// How the numbers of the labels become one. Default: the mean over all.
    pub average: Average,
}

impl Measure for LabelRocAuc {
    fn name(&self) -> String {
        format!("label_{}", self.average.named_unless_macro("roc_auc"))
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        self.average.check("the average of LabelRocAuc", output)
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Ranking::of_labels(width, self.average, roc_auc)
    }
}
