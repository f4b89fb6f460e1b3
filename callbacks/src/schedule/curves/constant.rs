use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, positive};

/// See [`LrSchedule::constant`](crate::LrSchedule::constant).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constant {
    pub(in crate::schedule) lr: f64,
}

impl From<Constant> for Curve {
    fn from(curve: Constant) -> Self {
        Self::Constant(curve)
    }
}

impl Shape for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("lr", self.lr)
    }

    fn rate_at(&self, _: &Place) -> f64 {
        self.lr
    }
}
