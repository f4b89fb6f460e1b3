//! Learning rates over the course of a fit.
//!
//! [`LrSchedule`] follows a curve that is known before the fit; the curves are in `curves/`, one a
//! file, and `curve.rs` says what one is. [`ReduceOnPlateau`] goes by a metric.

mod curve;
mod curves;
mod plateau;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use trainbook_store::{Name, Value};

use crate::{
    BatchStart, Callback, CallbackError, CallbackRecipe, Effects, Flow, Horizon, Phase, Reply,
    Resource, Setup,
};
use curve::{Place, check};

pub use curve::Curve;
pub use curves::{
    Anneal, Constant, Cosine, CosineWithRestarts, Cyclic, Decay, Exponential, InverseSqrt, Linear,
    Mode, MultiStep, OneCycle, Polynomial, StableDecay, Step,
};
pub use plateau::{ReduceOnPlateau, ThresholdMode};

const MOMENTUM: Name = Name::new_static("momentum");

/// Sets the learning rate of every step.
///
/// A schedule follows the number of updates *applied* since the fit began and ends with the fit; a
/// skipped update does not move it. It has no state: the same counters give the same rate. A fit
/// that goes beyond its horizon stays at the last rate.
///
/// The momentum stays as the optimiser has it, unless
/// [`OneCycle::cycle_momentum`] or [`Cyclic::cycle_momentum`] asks for it to be cycled too; PyTorch's
/// `OneCycleLR` and `CyclicLR` do that by default.
///
/// A schedule [for one group](Self::for_group) of parameters stands beside the one for all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LrSchedule {
    curve: Curve,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_lr: Option<f64>,
    #[serde(default)]
    warmup: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Name>,
    /// Under what the rate of the group is logged, put together once.
    #[serde(skip)]
    logged_as: Option<Name>,
}

impl LrSchedule {
    /// `lr` at every step.
    pub fn constant(lr: f64) -> Self {
        Self::of(Constant { lr })
    }

    /// Up from `max_lr / 25` to `max_lr` in the first 30 % of the updates and down to
    /// `max_lr / 25 / 10_000` in the rest, both along a half cosine:
    /// `torch.optim.lr_scheduler.OneCycleLR` with its defaults (Smith & Topin, "Super-Convergence",
    /// 2018). Its options are those of [`OneCycle`].
    pub fn one_cycle(max_lr: f64) -> Self {
        Self::of(OneCycle::to(max_lr))
    }

    /// Down from `max_lr` to `min_lr` (default 0) along a half cosine,
    /// `min_lr + (max_lr − min_lr) (1 + cos(π step / total)) / 2`:
    /// `torch.optim.lr_scheduler.CosineAnnealingLR` in closed form (Loshchilov & Hutter, "SGDR",
    /// 2017). The last step is one before the minimum.
    pub fn cosine(max_lr: f64) -> Self {
        Self::of(Cosine { max_lr })
    }

    /// As [`cosine`](Self::cosine) over the first `first_epochs` epochs, then again from `max_lr`
    /// over `factor` times as many, and so on:
    /// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts` with `T_0` and `T_mult`, moved at
    /// every update (Loshchilov & Hutter, "SGDR", 2017). A `factor` of 1 repeats. Epochs are
    /// counted as for [`step`](Self::step).
    pub fn cosine_with_restarts(max_lr: f64, first_epochs: u64, factor: u64) -> Self {
        Self::of(CosineWithRestarts { max_lr, first_epochs, factor })
    }

    /// `lr gamma^⌊epoch / every_epochs⌋`: `torch.optim.lr_scheduler.StepLR`. An epoch is as many
    /// updates as it has, counted from the beginning of the fit or the end of the warmup.
    pub fn step(lr: f64, every_epochs: u64, gamma: f64) -> Self {
        Self::of(Step { lr, every_epochs, gamma })
    }

    /// `lr gamma^k` with `k` the number of `epochs` that have been reached (0 is the first epoch):
    /// `torch.optim.lr_scheduler.MultiStepLR`. Epochs are counted as for [`step`](Self::step).
    pub fn multi_step(lr: f64, epochs: impl Into<Vec<u64>>, gamma: f64) -> Self {
        Self::of(MultiStep { lr, at_epochs: epochs.into(), gamma })
    }

    /// `lr gamma^epoch`: `torch.optim.lr_scheduler.ExponentialLR`, moved once an epoch. Epochs are
    /// counted as for [`step`](Self::step).
    pub fn exponential(lr: f64, gamma: f64) -> Self {
        Self::of(Exponential { lr, gamma })
    }

    /// Down from `max_lr` to `min_lr` (default 0) along a line,
    /// `max_lr + (min_lr − max_lr) step / total`: `torch.optim.lr_scheduler.LinearLR` in closed
    /// form, from factor 1 to `min_lr / max_lr` over the whole fit. The last step is one before the
    /// minimum.
    pub fn linear(max_lr: f64) -> Self {
        Self::of(Linear { max_lr })
    }

    /// Down from `max_lr` to `min_lr` (default 0),
    /// `min_lr + (max_lr − min_lr) (1 − step / total)^power`:
    /// `torch.optim.lr_scheduler.PolynomialLR` in closed form over the whole fit, with the end of
    /// Keras's `PolynomialDecay`. A power of 1 is a line.
    pub fn polynomial(max_lr: f64, power: f64) -> Self {
        Self::of(Polynomial { max_lr, power })
    }

    /// From `base_lr` up to `max_lr` along a line in `steps` updates and down again in as many,
    /// over and over: `torch.optim.lr_scheduler.CyclicLR` (Smith, "Cyclical Learning Rates for
    /// Training Neural Networks", 2017). Peaks that shrink, and another time down, are options of
    /// [`Cyclic`].
    pub fn cyclic(base_lr: f64, max_lr: f64, steps: u64) -> Self {
        Self::of(Cyclic::between(base_lr, max_lr).up(steps))
    }

    /// Up to `max_lr` along a line in `rise` updates, then down with the inverse square root:
    /// `max_lr min(n / rise, √(rise / n))` at update `n` = 1, 2, … (Vaswani et al., "Attention Is
    /// All You Need", 2017, section 5.3; there `max_lr` is `1 / √(d_model rise)`). It rises by
    /// itself and needs no [`warmup`](Self::warmup).
    pub fn inverse_sqrt(max_lr: f64, rise: u64) -> Self {
        Self::of(InverseSqrt { max_lr, rise })
    }

    /// Up to `max_lr` over a [`warmup`](Self::warmup) of that many updates, then `max_lr`, and in
    /// the last fifth of the rest along a line down to `min_lr` (default 0), one before the
    /// minimum: the trapezoid (Hu et al., "MiniCPM", 2024; the length of the decay and its shapes
    /// from Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    /// Durations", 2024). Its options are those of [`StableDecay`].
    pub fn warmup_stable_decay(max_lr: f64, warmup: u64) -> Self {
        Self::of(StableDecay::at(max_lr)).warmup(warmup)
    }

    /// Along a curve with options, such as [`OneCycle`], [`Cyclic`] or [`StableDecay`].
    pub fn of(curve: impl Into<Curve>) -> Self {
        Self { curve: curve.into(), min_lr: None, warmup: 0, group: None, logged_as: None }
    }

    /// Where the schedule ends, from 0 to its `max_lr`; for [`cosine`](Self::cosine) (also each
    /// time before a restart), [`linear`](Self::linear), [`polynomial`](Self::polynomial) and
    /// [`warmup_stable_decay`](Self::warmup_stable_decay). Default: 0. Refused for other schedules.
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

    /// For the parameter group that has this pattern, in place of the rate that all others have; the
    /// group's factor still counts. Any number of groups may have schedules of their own. The trainer
    /// refuses the name of a group that it has not. Logs the rate in steps, as
    /// `learning_rate/<pattern>`. Default: for all tensors.
    ///
    /// ```
    /// use trainbook_callbacks::LrSchedule;
    ///
    /// let body = LrSchedule::cosine(1e-4).warmup(500).for_group("encoder");
    /// let rest = LrSchedule::cosine(1e-3);
    /// ```
    #[must_use]
    pub fn for_group(mut self, pattern: impl AsRef<str>) -> Self {
        self.group = Some(Name::new(pattern));
        self
    }

    /// The pattern of the group of parameters that it is for; `None` where it is for all.
    pub fn group(&self) -> Option<&Name> {
        self.group.as_ref()
    }

    /// The learning rate of the update with this number, counted from 0 in the fit, in a fit with
    /// this horizon. Pure: no trainer is needed.
    pub fn rate_at(&self, step: u64, horizon: Horizon) -> f64 {
        let rate = self.curve.shape().rate_at(&self.place(step, horizon));
        if step < self.warmup {
            rate * (step + 1) as f64 / (self.warmup as f64 + 1.0)
        } else {
            rate
        }
    }

    /// The momentum of the same update, if the curve cycles it; in a warmup, its first. Pure.
    pub fn momentum_at(&self, step: u64, horizon: Horizon) -> Option<f64> {
        self.curve.shape().momentum_at(&self.place(step, horizon))
    }

    /// Where on the curve an update is; at its begin in a warmup.
    fn place(&self, step: u64, horizon: Horizon) -> Place {
        let total = horizon.updates().saturating_sub(self.warmup).max(1);
        Place {
            step: step.saturating_sub(self.warmup).min(total - 1),
            total,
            steps_per_epoch: horizon.updates_per_epoch.max(1),
            min_lr: self.min_lr.unwrap_or(0.0),
        }
    }

    /// Whether the curve cycles the momentum.
    fn has_momentum(&self) -> bool {
        let place = Place { step: 0, total: 1, steps_per_epoch: 1, min_lr: 0.0 };
        self.curve.shape().momentum_at(&place).is_some()
    }

    /// Under what the rate of a group is logged.
    fn rate_name(group: &Name) -> Name {
        Name::from(format!("learning_rate/{group}"))
    }

    /// The schedule before it is used, as (update from 0, learning rate) for a plot: every update
    /// of a fit with this horizon, or where those are more than `points`, that many, evenly spaced
    /// (rounded down to whole updates), with the first and the last among them. Empty for a fit
    /// without updates, and for no points; one point is the first.
    pub fn preview(&self, horizon: Horizon, points: usize) -> Vec<(u64, f64)> {
        let updates = horizon.updates();
        let points = updates.min(points as u64);
        let number = |point: u64| match points {
            0 | 1 => 0,
            _ => {
                // In 128 bits, as the product of two of 64.
                let number = u128::from(point) * u128::from(updates - 1) / u128::from(points - 1);
                u64::try_from(number).unwrap_or(updates - 1)
            }
        };
        (0..points).map(number).map(|step| (step, self.rate_at(step, horizon))).collect()
    }
}

impl Callback for LrSchedule {
    fn name(&self) -> Cow<'static, str> {
        match &self.group {
            Some(group) => format!("LrSchedule for {group}").into(),
            None => "LrSchedule".into(),
        }
    }

    fn effects(&self) -> Effects {
        let effects = Effects::in_phase(Phase::Schedule);
        let effects = match &self.group {
            None => effects.writes(Resource::LearningRate),
            Some(group) => effects
                .writes(Resource::GroupLearningRate(group.clone()))
                .writes(Resource::StepMetric(Self::rate_name(group))),
        };
        if self.has_momentum() {
            effects.writes(Resource::Momentum).writes(Resource::StepMetric(MOMENTUM))
        } else {
            effects
        }
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        if self.group.is_some() {
            return Vec::new(); // a run is found by the schedule of all others
        }
        let shape = self.curve.shape();
        vec![
            ("schedule", shape.name().into()),
            ("lr", shape.lr().into()),
            ("warmup", self.warmup.into()),
        ]
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::LrSchedule(self.clone()))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        let shape = self.curve.shape();
        shape.check()?;
        if self.group.is_some() && self.has_momentum() {
            let expected = "left out in a schedule for a group: there is one momentum for all";
            return check(false, "cycle_momentum", "set", expected);
        }
        match self.min_lr {
            Some(min) if shape.has_min_lr() => {
                check((0.0..=shape.lr()).contains(&min), "min_lr", min, "between 0 and max_lr")
            }
            Some(min) => check(false, "min_lr", min, "left out: this schedule has none"),
            None => Ok(()),
        }
    }

    fn batch_start(&mut self, batch: &mut BatchStart<'_>) -> Reply {
        let step = batch.counters.updates_applied.saturating_sub(batch.horizon.first_update);
        let rate = self.rate_at(step, batch.horizon);
        match &self.group {
            None => batch.set_learning_rate(rate),
            Some(group) => {
                batch.set_group_rate(group, rate);
                let name = self.logged_as.get_or_insert_with(|| Self::rate_name(group));
                log_once(batch, name, rate);
            }
        }
        if let Some(momentum) = self.momentum_at(step, batch.horizon) {
            batch.set_momentum(momentum);
            log_once(batch, &MOMENTUM, momentum);
        }
        Ok(Flow::Continue)
    }
}

/// Logs a value that is the same before every batch of a step.
fn log_once(batch: &BatchStart<'_>, name: &Name, value: f64) {
    if !batch.log.read(|logged| logged.iter().any(|metric| metric.name == *name)) {
        batch.log.push(name.clone(), value);
    }
}

#[cfg(test)]
mod tests;
