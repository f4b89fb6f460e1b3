use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, positive};

/// See [`LrSchedule::exponential`](crate::LrSchedule::exponential).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exponential {
    pub(in crate::schedule) lr: f64,
    pub(in crate::schedule) gamma: f64,
}

impl From<Exponential> for Curve {
    fn from(curve: Exponential) -> Self {
        Self::Exponential(curve)
    }
}

impl Shape for Exponential {
    fn name(&self) -> &'static str {
        "exponential"
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("lr", self.lr)?;
        positive("gamma", self.gamma)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        self.lr * self.gamma.powf(at.epoch() as f64)
    }
}
