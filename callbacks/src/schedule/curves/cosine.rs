use serde::{Deserialize, Serialize};

use super::half_cosine;
use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, check, positive};

/// See [`LrSchedule::cosine`](crate::LrSchedule::cosine).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cosine {
    pub(in crate::schedule) max_lr: f64,
}

impl From<Cosine> for Curve {
    fn from(curve: Cosine) -> Self {
        Self::Cosine(curve)
    }
}

impl Shape for Cosine {
    fn name(&self) -> &'static str {
        "cosine"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        half_cosine(self.max_lr, at.min_lr, at.part())
    }

    fn has_min_lr(&self) -> bool {
        true
    }
}

/// See [`LrSchedule::cosine_with_restarts`](crate::LrSchedule::cosine_with_restarts).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CosineWithRestarts {
    pub(in crate::schedule) max_lr: f64,
    pub(in crate::schedule) first_epochs: u64,
    pub(in crate::schedule) factor: u64,
}

impl From<CosineWithRestarts> for Curve {
    fn from(curve: CosineWithRestarts) -> Self {
        Self::CosineWithRestarts(curve)
    }
}

impl Shape for CosineWithRestarts {
    fn name(&self) -> &'static str {
        "cosine_with_restarts"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        check(self.first_epochs > 0, "first_epochs", self.first_epochs, "at least 1")?;
        check(self.factor > 0, "factor", self.factor, "at least 1")
    }

    fn rate_at(&self, at: &Place) -> f64 {
        let mut length = self.first_epochs.saturating_mul(at.steps_per_epoch).max(1);
        let mut step = at.step;
        if self.factor <= 1 {
            step %= length;
        }
        // Lengths at least double, so this is short.
        while step >= length {
            step -= length;
            length = length.saturating_mul(self.factor);
        }
        half_cosine(self.max_lr, at.min_lr, step as f64 / length as f64)
    }

    fn has_min_lr(&self) -> bool {
        true
    }
}
