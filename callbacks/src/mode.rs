//! Whether a larger or a smaller metric is better.

use serde::{Deserialize, Serialize};

/// The direction of a monitored metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Smaller is better.
    Minimize,
    /// Larger is better.
    Maximize,
}

impl Mode {
    /// The default for a metric of this name: `Maximize` when it contains "accuracy", else
    /// `Minimize`.
    pub(crate) fn of(metric: &str) -> Self {
        if metric.contains("accuracy") { Self::Maximize } else { Self::Minimize }
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
    use super::Mode;

    #[test]
    fn the_name_decides_the_direction() {
        assert_eq!(Mode::of("val_loss"), Mode::Minimize);
        assert_eq!(Mode::of("val_accuracy"), Mode::Maximize);
        assert_eq!(Mode::of("top5_accuracy"), Mode::Maximize);
        assert_eq!(Mode::of("perplexity"), Mode::Minimize);
    }

    #[test]
    fn min_delta_must_be_exceeded() {
        assert!(!Mode::Minimize.improves(0.5, Some(1.0), 0.5));
        assert!(Mode::Minimize.improves(0.25, Some(1.0), 0.5));
        assert!(!Mode::Maximize.improves(1.5, Some(1.0), 0.5));
        assert!(Mode::Maximize.improves(1.75, Some(1.0), 0.5));
        assert!(!Mode::Minimize.improves(1.0, Some(1.0), 0.0));
    }

    #[test]
    fn what_is_not_finite_is_never_best() {
        for mode in [Mode::Minimize, Mode::Maximize] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!(!mode.improves(value, None, 0.0));
                assert!(!mode.improves(value, Some(1.0), 0.0));
            }
            assert!(mode.improves(1.0, None, 0.0));
        }
    }
}
