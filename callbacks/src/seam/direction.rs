//! Whether a larger or a smaller metric is better.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

/// The direction of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smaller is better.
    Minimize,
    /// Larger is better.
    Maximize,
}

/// A metric that the trainer measures at the end of each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochMetric {
    /// Its name, for example `val_loss`.
    pub name: Name,
    /// When it is better.
    pub direction: Direction,
}

impl Direction {
    /// A guess for a metric of which nobody says it: `Maximize` when its name contains "accuracy",
    /// "f1", "precision", "recall", "auc" or "r2", else `Minimize`.
    pub(crate) fn of(metric: &str) -> Self {
        let larger = ["accuracy", "f1", "precision", "recall", "auc", "r2"];
        if larger.iter().any(|word| metric.contains(word)) {
            Self::Maximize
        } else {
            Self::Minimize
        }
    }

    /// Whether `value` is strictly better than `than`. Never true when one of them is NaN.
    pub(crate) fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Self::Minimize => value < than,
            Self::Maximize => value > than,
        }
    }

    /// Whether `value` is better than `best` by more than `min_delta`. The first finite value
    /// always is; one that is not finite never is, so it can never become the best.
    pub(crate) fn improves(self, value: f64, best: Option<f64>, min_delta: f64) -> bool {
        let moved = match self {
            Self::Minimize => value + min_delta,
            Self::Maximize => value - min_delta,
        };
        value.is_finite() && best.is_none_or(|best| self.is_better(moved, best))
    }
}

#[cfg(test)]
mod tests {
    use super::Direction;

    #[test]
    fn without_more_the_name_decides() {
        assert_eq!(Direction::of("val_loss"), Direction::Minimize);
        assert_eq!(Direction::of("val_accuracy"), Direction::Maximize);
        assert_eq!(Direction::of("top5_accuracy"), Direction::Maximize);
        assert_eq!(Direction::of("val_macro_f1"), Direction::Maximize);
        assert_eq!(Direction::of("perplexity"), Direction::Minimize);
    }

    #[test]
    fn min_delta_must_be_exceeded() {
        assert!(!Direction::Minimize.improves(0.5, Some(1.0), 0.5));
        assert!(Direction::Minimize.improves(0.25, Some(1.0), 0.5));
        assert!(!Direction::Maximize.improves(1.5, Some(1.0), 0.5));
        assert!(Direction::Maximize.improves(1.75, Some(1.0), 0.5));
        assert!(!Direction::Minimize.improves(1.0, Some(1.0), 0.0));
    }

    #[test]
    fn what_is_not_finite_is_never_best() {
        for mode in [Direction::Minimize, Direction::Maximize] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!(!mode.improves(value, None, 0.0));
                assert!(!mode.improves(value, Some(1.0), 0.0));
            }
            assert!(mode.improves(1.0, None, 0.0));
        }
    }
}
