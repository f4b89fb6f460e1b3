//! How unlikely the classes are.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_classes;
use crate::measure::{Measure, Tally};
use crate::probability::log_probability;

/// `log_loss`: the mean of `−ln p` of each row's class, with p by softmax, in nats. Cross-entropy
/// without the options of the loss. scikit-learn's `log_loss`, which clips probabilities at 2⁻⁵²;
/// here none are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLoss;

impl Measure for LogLoss {
    fn name(&self) -> String {
        "log_loss".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        mean_over_classes(width, |row, class| -log_probability(row, class), |mean| mean)
    }
}
