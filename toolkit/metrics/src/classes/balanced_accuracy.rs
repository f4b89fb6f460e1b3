//! The mean over classes of the share classified right.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::hits::class_hits;
use crate::hits::recall;
use crate::measure::{Measure, Tally};

/// `balanced_accuracy`: the mean of each class's recall, over the classes that occur; for classes
/// of unequal size. scikit-learn's `balanced_accuracy_score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancedAccuracy;

impl Measure for BalancedAccuracy {
    fn name(&self) -> String {
        "balanced_accuracy".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        class_hits(width, |hits| {
            let occurring = hits.iter().filter(|[rows, ..]| *rows != 0.0);
            let recalls: Vec<f64> = occurring.map(|hits| recall(*hits)).collect();
            recalls.iter().sum::<f64>() / recalls.len() as f64
        })
    }
}
