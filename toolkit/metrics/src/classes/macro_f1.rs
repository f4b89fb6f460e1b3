//! The mean over classes of F1.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::Average;
use crate::hits::class_hits;
use crate::hits::f_beta;
use crate::measure::{Measure, Tally};

/// `macro_f1`: the mean over all classes of `2·right / (rows + taken)`, the harmonic mean of
/// precision and recall; 0 for a class that neither occurs nor is predicted. [`F1`](crate::F1) with
/// its default. scikit-learn's `f1_score` with `average="macro"` and all labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroF1;

impl Measure for MacroF1 {
    fn name(&self) -> String {
        "macro_f1".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        class_hits(width, |hits| Average::Macro.of_hits(hits, |hits| f_beta(hits, 1.0)))
    }
}
