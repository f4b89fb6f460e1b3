//! The share whose class is among the k likeliest.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::MetricError;
use crate::counting::share_of_classes;
use crate::measure::{Measure, Tally};

/// `top5_accuracy` with k = 5: the share of rows, or positions, to whose class fewer than k others
/// are preferred: larger outputs, or equal ones in front of it. scikit-learn's
/// `top_k_accuracy_score`, which takes ties the other way round. Default: k = 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopKAccuracy {
    /// How many guesses there are; at least 1 and at most the number of classes.
    pub k: usize,
}

impl Default for TopKAccuracy {
    fn default() -> Self {
        Self { k: 5 }
    }
}

impl Measure for TopKAccuracy {
    fn name(&self) -> String {
        format!("top{}_accuracy", self.k)
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        let classes = output.last().copied().unwrap_or(1);
        if (1..=classes).contains(&self.k) {
            return Ok(());
        }
        Err(MetricError::Setting {
            setting: "k of TopKAccuracy",
            value: self.k.to_string(),
            expected: format!("from 1 to {classes}, the number of classes"),
        })
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let k = self.k;
        share_of_classes(width, move |row, class| {
            let Some(&own) = row.get(class).filter(|own| !own.is_nan()) else { return false };
            let preferred = |(at, x): (usize, &f32)| *x > own || (*x == own && at < class);
            row.iter().enumerate().filter(|other| preferred(*other)).count() < k
        })
    }
}
