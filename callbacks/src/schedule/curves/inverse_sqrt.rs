use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, check, positive};

/// See [`LrSchedule::inverse_sqrt`](crate::LrSchedule::inverse_sqrt).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InverseSqrt {
    pub(in crate::schedule) max_lr: f64,
    pub(in crate::schedule) rise: u64,
}

impl From<InverseSqrt> for Curve {
    fn from(curve: InverseSqrt) -> Self {
        Self::InverseSqrt(curve)
    }
}

impl Shape for InverseSqrt {
    fn name(&self) -> &'static str {
        "inverse_sqrt"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        check(self.rise > 0, "rise", self.rise, "at least 1")
    }

    fn rate_at(&self, at: &Place) -> f64 {
        // As floats: the last step of an endless fit has no successor.
        let (number, rise) = (at.step as f64 + 1.0, self.rise as f64);
        self.max_lr * (number / rise).min((rise / number).sqrt())
    }
}
