use serde::{Deserialize, Serialize};

use super::line;
use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, positive};

/// See [`LrSchedule::linear`](crate::LrSchedule::linear).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    pub(in crate::schedule) max_lr: f64,
}

impl From<Linear> for Curve {
    fn from(curve: Linear) -> Self {
        Self::Linear(curve)
    }
}

impl Shape for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        line(self.max_lr, at.min_lr, at.part())
    }

    fn has_min_lr(&self) -> bool {
        true
    }
}
