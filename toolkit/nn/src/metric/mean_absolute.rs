//! The mean absolute difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::Targets;

use super::measure::{Measure, Tally, with_values};
use crate::loss::TargetKind;

/// `mae`: the mean of `∣x − y∣` over all outputs, in the unit of the targets. scikit-learn's
/// `mean_absolute_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanAbsolute;

impl Measure for MeanAbsolute {
    fn name(&self) -> String {
        "mae".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Counted::default())
    }
}

#[derive(Default)]
struct Counted {
    sum: f64,
    all: u64,
}

impl Tally for Counted {
    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        for (x, y) in with_values(outputs, targets) {
            self.sum += (x - y).abs();
            self.all += 1;
        }
    }

    fn value(&self) -> f64 {
        self.sum / self.all as f64
    }
}
