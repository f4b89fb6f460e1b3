//! Learning rates over the course of a fit.

mod curve;

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::setting::require;
use crate::{
    BatchStart, Callback, CallbackError, CallbackRecipe, Effects, Flow, Horizon, Phase, Reply,
    Resource, Setup,
};
use curve::Curve;

/// Sets the learning rate of every step.
///
/// A schedule follows the number of updates *applied* since the fit began and ends with the fit; a
/// skipped update does not move it. It has no state: the same counters give the same rate. A fit
/// that goes beyond its horizon stays at the last rate.
///
/// Only the learning rate is scheduled. PyTorch's `OneCycleLR` also cycles the momentum; here
/// momentum stays as the optimiser has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LrSchedule {
    curve: Curve,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_lr: Option<f64>,
    #[serde(default)]
    warmup: u64,
}

impl LrSchedule {
    /// `lr` at every step.
    pub fn constant(lr: f64) -> Self {
        Self::of(Curve::Constant { lr })
    }

    /// Up from `max_lr / 25` to `max_lr` in the first 30 % of the updates and down to
    /// `max_lr / 25 / 10_000` in the rest, both along a half cosine:
    /// `torch.optim.lr_scheduler.OneCycleLR` with its defaults (Smith & Topin, "Super-Convergence",
    /// 2018).
    pub fn one_cycle(max_lr: f64) -> Self {
        Self::of(Curve::OneCycle { max_lr })
    }

    /// Down from `max_lr` to `min_lr` (default 0) along a half cosine,
    /// `min_lr + (max_lr − min_lr) (1 + cos(π step / total)) / 2`:
    /// `torch.optim.lr_scheduler.CosineAnnealingLR` in closed form (Loshchilov & Hutter, "SGDR",
    /// 2017). The last step is one before the minimum.
    pub fn cosine(max_lr: f64) -> Self {
        Self::of(Curve::Cosine { max_lr })
    }

    /// `lr gamma^⌊epoch / every_epochs⌋`: `torch.optim.lr_scheduler.StepLR`. An epoch is as many
    /// updates as it has, counted from the beginning of the fit or the end of the warmup.
    pub fn step(lr: f64, every_epochs: u64, gamma: f64) -> Self {
        Self::of(Curve::Step { lr, every_epochs, gamma })
    }

    /// Where [`cosine`](Self::cosine) ends. Default: 0. Refused for other schedules.
    #[must_use]
    pub fn min_lr(mut self, lr: f64) -> Self {
        self.min_lr = Some(lr);
        self
    }

    /// Puts a linear rise in front: for `steps` updates the rate is `(i + 1) / (steps + 1)` of the
    /// schedule's first, for i = 0, 1, …; then the whole schedule runs over the updates that
    /// remain. Default: 0. A tenth of the fit at most is usual; in a fit that is shorter than its
    /// warmup the rate only rises.
    #[must_use]
    pub fn warmup(mut self, steps: u64) -> Self {
        self.warmup = steps;
        self
    }

    fn of(curve: Curve) -> Self {
        Self { curve, min_lr: None, warmup: 0 }
    }

    /// The learning rate of the update with this number, counted from 0 in the fit, in a fit with
    /// this horizon. Pure: for plots, no trainer is needed.
    pub fn rate_at(&self, step: u64, horizon: Horizon) -> f64 {
        let total = horizon.updates().saturating_sub(self.warmup);
        let at = |step| {
            self.curve.rate_at(step, total, horizon.updates_per_epoch, self.min_lr.unwrap_or(0.0))
        };
        match step.checked_sub(self.warmup) {
            Some(step) => at(step),
            None => at(0) * (step + 1) as f64 / (self.warmup + 1) as f64,
        }
    }
}

impl Callback for LrSchedule {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Schedule).writes(Resource::LearningRate)
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        let (name, lr) = match self.curve {
            Curve::Constant { lr } => ("constant", lr),
            Curve::OneCycle { max_lr } => ("one_cycle", max_lr),
            Curve::Cosine { max_lr } => ("cosine", max_lr),
            Curve::Step { lr, .. } => ("step", lr),
        };
        vec![("schedule", name.into()), ("lr", lr.into()), ("warmup", self.warmup.into())]
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::LrSchedule(self.clone()))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        const NAME: &str = "LrSchedule";
        const RATE: &str = "a finite number above 0";
        let positive = |setting, v: f64| require(v > 0.0 && v.is_finite(), NAME, setting, v, RATE);
        match self.curve {
            Curve::Constant { lr } => positive("lr", lr)?,
            Curve::OneCycle { max_lr } | Curve::Cosine { max_lr } => positive("max_lr", max_lr)?,
            Curve::Step { lr, every_epochs, gamma } => {
                positive("lr", lr)?;
                positive("gamma", gamma)?;
                require(every_epochs > 0, NAME, "every_epochs", every_epochs, "at least 1")?;
            }
        }
        match (self.curve, self.min_lr) {
            (Curve::Cosine { max_lr }, Some(min)) => {
                require((0.0..=max_lr).contains(&min), NAME, "min_lr", min, "between 0 and max_lr")
            }
            (_, Some(min)) => require(false, NAME, "min_lr", min, "left out: only cosine has one"),
            (_, None) => Ok(()),
        }
    }

    fn batch_start(&mut self, batch: &mut BatchStart<'_>) -> Reply {
        let step = batch.counters.updates_applied.saturating_sub(batch.horizon.first_update);
        batch.set_learning_rate(self.rate_at(step, batch.horizon));
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests;
