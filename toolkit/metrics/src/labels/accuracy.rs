//! The share of labels that are right.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_values;
use crate::measure::{Measure, Tally};

/// `label_accuracy`: of all labels of all rows the share on whose side of ½ the probability is: a
/// logit above 0 for one above ½. For the loss `BinaryCrossEntropy`. With one label a row
/// scikit-learn's `accuracy_score`; with several, one less its `hamming_loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelAccuracy;

impl Measure for LabelAccuracy {
    fn name(&self) -> String {
        "label_accuracy".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        let right = |x: f64, y: f64| !x.is_nan() && (x > 0.0) == (y > 0.5);
        mean_over_values(move |x, y| f64::from(u8::from(right(x, y))), |share| share)
    }
}
