//! The mean over classes of F1.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::confusion::Confusion;
use crate::measure::{Measure, Tally};

/// `macro_f1`: the mean over all classes of `2·right / (rows + taken)`, the harmonic mean of precision
/// and recall; 0 for a class that neither occurs nor is predicted. scikit-learn's `f1_score` with
/// `average="macro"` and all labels.
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
        let f1 = |[rows, taken, right]: [f64; 3]| {
            if right > 0.0 { 2.0 * right / (rows + taken) } else { 0.0 }
        };
        Confusion::tally(width, move |confusion| {
            confusion.each().map(f1).sum::<f64>() / width as f64
        })
    }
}
