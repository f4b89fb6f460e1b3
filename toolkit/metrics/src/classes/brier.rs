//! The squared error of probabilities.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::mean_over_classes;
use crate::measure::{Measure, Tally};
use crate::probability::log_softmax;

/// `brier`: the mean of `Σ (p − y)²` over the classes, where y is 1 for the row's class and else 0;
/// with two classes only the second is counted, so that it is from 0 to 1, with more from 0 to 2.
/// Brier, Mon. Weather Rev. 78, 1950; scikit-learn's `brier_score_loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brier;

impl Measure for Brier {
    fn name(&self) -> String {
        "brier".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        mean_over_classes(width, squared, |mean| mean)
    }
}

fn squared(row: &[f32], class: usize) -> f64 {
    let mut logs = Vec::with_capacity(row.len());
    log_softmax(row, &mut logs);
    let off = |(at, log): (usize, &f64)| (log.exp() - f64::from(u8::from(at == class))).powi(2);
    let counted = if row.len() == 2 { 1 } else { 0 };
    logs.iter().enumerate().skip(counted).map(off).sum()
}
