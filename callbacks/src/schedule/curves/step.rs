use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, check, positive};

/// See [`LrSchedule::step`](crate::LrSchedule::step).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub(in crate::schedule) lr: f64,
    pub(in crate::schedule) every_epochs: u64,
    pub(in crate::schedule) gamma: f64,
}

impl From<Step> for Curve {
    fn from(curve: Step) -> Self {
        Self::Step(curve)
    }
}

impl Shape for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("lr", self.lr)?;
        positive("gamma", self.gamma)?;
        check(self.every_epochs > 0, "every_epochs", self.every_epochs, "at least 1")
    }

    fn rate_at(&self, at: &Place) -> f64 {
        let drops = at.epoch() / self.every_epochs.max(1);
        self.lr * self.gamma.powf(drops as f64)
    }
}

/// See [`LrSchedule::multi_step`](crate::LrSchedule::multi_step).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiStep {
    pub(in crate::schedule) lr: f64,
    pub(in crate::schedule) at_epochs: Vec<u64>,
    pub(in crate::schedule) gamma: f64,
}

impl From<MultiStep> for Curve {
    fn from(curve: MultiStep) -> Self {
        Self::MultiStep(curve)
    }
}

impl Shape for MultiStep {
    fn name(&self) -> &'static str {
        "multi_step"
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("lr", self.lr)?;
        positive("gamma", self.gamma)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        let drops = self.at_epochs.iter().filter(|milestone| **milestone <= at.epoch()).count();
        self.lr * self.gamma.powf(drops as f64)
    }
}
