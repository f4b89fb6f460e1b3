//! The share classified right.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::Targets;

use super::measure::{Measure, Share, Tally, largest, with_classes};
use crate::loss::TargetKind;

/// `accuracy`: the share of rows, or positions, whose largest output is that of their class. The
/// first of equal outputs counts, NaN never does. scikit-learn's `accuracy_score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accuracy;

impl Measure for Accuracy {
    fn name(&self) -> String {
        "accuracy".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Box::new(Counted { width, share: Share::default() })
    }
}

struct Counted {
    width: usize,
    share: Share,
}

impl Tally for Counted {
    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        for (row, class) in with_classes(outputs, self.width, targets) {
            self.share.add(largest(row) == Some(class));
        }
    }

    fn value(&self) -> f64 {
        self.share.value()
    }
}
