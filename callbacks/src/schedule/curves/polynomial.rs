use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, positive};

/// See [`LrSchedule::polynomial`](crate::LrSchedule::polynomial).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Polynomial {
    pub(in crate::schedule) max_lr: f64,
    pub(in crate::schedule) power: f64,
}

impl From<Polynomial> for Curve {
    fn from(curve: Polynomial) -> Self {
        Self::Polynomial(curve)
    }
}

impl Shape for Polynomial {
    fn name(&self) -> &'static str {
        "polynomial"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        positive("power", self.power)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        at.min_lr + (self.max_lr - at.min_lr) * (1.0 - at.part()).powf(self.power)
    }

    fn has_min_lr(&self) -> bool {
        true
    }
}
