//! The share classified right.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::share_of_classes;
use crate::measure::largest;
use crate::measure::{Measure, Tally};

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
        share_of_classes(width, |row, class| largest(row) == Some(class))
    }
}
