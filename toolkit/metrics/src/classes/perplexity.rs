//! Among how many classes one guesses.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_classes;
use crate::measure::{Measure, Tally};
use crate::probability::log_probability;

/// `perplexity`: `exp` of the mean of `−ln p` over the positions that count: among how many equally
/// likely classes one would guess as badly. 1 is perfect, the number of classes is chance. The
/// exponential of scikit-learn's `log_loss`, without its clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Perplexity;

impl Measure for Perplexity {
    fn name(&self) -> String {
        "perplexity".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        mean_over_classes(width, |row, class| -log_probability(row, class), f64::exp)
    }
}
