//! A learning rate that goes down when a metric no longer improves.

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::monitor::Monitor;
use crate::setting::require;
use crate::{
    BatchStart, Callback, CallbackError, CallbackRecipe, CallbackState, Direction, Effects,
    EpochEnd, FitStart, Flow, Phase, Reply, Resource, Setup,
};

const NAME: &str = "ReduceOnPlateau";

/// Multiplies the trainer's learning rate by a factor when a metric has not improved for some
/// epochs: `torch.optim.lr_scheduler.ReduceLROnPlateau` with its rules, in its order, and its
/// defaults.
///
/// At the end of each epoch, with the metric's value `v` (signs for a metric that is minimised):
///
/// 1. `v < best (1 − threshold)`, or with [`ThresholdMode::Absolute`] `v < best − threshold`: an
///    improvement. `best` becomes `v`, and the count of bad epochs 0. Else the count grows by one; a
///    NaN is never an improvement.
/// 2. During a cooldown, one epoch of it is over and the count is 0.
/// 3. The count is above `patience`: the rate becomes `max(rate factor, min_lr)`, if that is more
///    than `eps` below it; the cooldown begins, and the count is 0.
///
/// As in PyTorch, a relative threshold means little for a metric below 0, where
/// `best (1 − threshold)` is worse than `best`.
///
/// The new rate holds from the next step on, also in fits that follow. The rate has one writer, so
/// this does not go with an [`LrSchedule`](crate::LrSchedule), but has a
/// [`warmup`](Self::warmup) of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReduceOnPlateau {
    #[serde(flatten)]
    rule: Rule,
    #[serde(skip)]
    track: Track,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rule {
    #[serde(flatten)]
    monitor: Monitor,
    factor: f64,
    patience: u64,
    threshold: f64,
    threshold_mode: ThresholdMode,
    cooldown: u64,
    min_lr: f64,
    eps: f64,
    #[serde(default)]
    warmup: u64,
}

/// What the threshold of [`ReduceOnPlateau`] is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// A share of the best value. The default.
    #[default]
    Relative,
    /// In the unit of the metric.
    Absolute,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Track {
    best: Option<f64>,
    bad_epochs: u64,
    cooldown: u64,
    /// Whether the rate is to go down at the next step, which is when it is seen.
    due: bool,
    /// During the warmup, the rate that it rises to.
    goal: Option<f64>,
}

impl ReduceOnPlateau {
    /// Watches this metric. What the trainer measures has a direction; for what a callback logs,
    /// larger is better when the name contains a word such as "accuracy", "f1" or "r2", else smaller.
    pub fn on(metric: impl AsRef<str>) -> Self {
        let rule = Rule {
            monitor: Monitor::of(metric),
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Relative,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            warmup: 0,
        };
        Self { rule, track: Track::default() }
    }

    /// By what the rate is multiplied: above 0 and below 1. Default: 0.1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.rule.factor = factor;
        self
    }

    /// So many epochs in a row without an improvement are borne; the next one brings the rate down.
    /// Default: 10.
    #[must_use]
    pub fn patience(mut self, epochs: u64) -> Self {
        self.rule.patience = epochs;
        self
    }

    /// Only a change of more than this counts as an improvement: a share of the best value, at least
    /// 0 and below 1, or with [`ThresholdMode::Absolute`] at least 0. Default: 0.0001.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.rule.threshold = threshold;
        self
    }

    /// What the threshold is a part of. Default: the best value.
    #[must_use]
    pub fn threshold_mode(mut self, mode: ThresholdMode) -> Self {
        self.rule.threshold_mode = mode;
        self
    }

    /// After the rate went down, so many epochs are not counted. Default: 0.
    #[must_use]
    pub fn cooldown(mut self, epochs: u64) -> Self {
        self.rule.cooldown = epochs;
        self
    }

    /// The rate goes no lower. Default: 0.
    #[must_use]
    pub fn min_lr(mut self, lr: f64) -> Self {
        self.rule.min_lr = lr;
        self
    }

    /// A rate that would go down by no more than this stays as it is. Default: 1e-8.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.eps = eps;
        self
    }

    /// Puts a linear rise in front, as [`LrSchedule`](crate::LrSchedule::warmup) does: for the first
    /// `steps` updates of the trainer's life the rate is `(i + 1) / (steps + 1)` of the trainer's,
    /// for i = 0, 1, … What a plateau takes off meanwhile is taken off what it rises to. Default: 0.
    #[must_use]
    pub fn warmup(mut self, steps: u64) -> Self {
        self.rule.warmup = steps;
        self
    }

    /// Smaller is better.
    #[must_use]
    pub fn minimize(mut self) -> Self {
        self.rule.monitor.better(Direction::Minimize);
        self
    }

    /// Larger is better.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.rule.monitor.better(Direction::Maximize);
        self
    }
}

impl Rule {
    /// The end of an epoch with this value of the metric; whether the rate is to go down.
    fn check(&self, track: &mut Track, value: f64) -> bool {
        if self.improves(value, track.best) {
            track.best = Some(value);
            track.bad_epochs = 0;
        } else {
            track.bad_epochs = track.bad_epochs.saturating_add(1);
        }
        if track.cooldown > 0 {
            track.cooldown -= 1;
            track.bad_epochs = 0;
        }
        let reduce = track.bad_epochs > self.patience;
        if reduce {
            track.cooldown = self.cooldown;
            track.bad_epochs = 0;
        }
        reduce
    }

    /// Before there is a best value, PyTorch's is the worst infinity.
    fn improves(&self, value: f64, best: Option<f64>) -> bool {
        let mode = self.monitor.mode;
        let worst = match mode {
            Direction::Minimize => f64::INFINITY,
            Direction::Maximize => f64::NEG_INFINITY,
        };
        let best = best.unwrap_or(worst);
        let bar = match (mode, self.threshold_mode) {
            (Direction::Minimize, ThresholdMode::Relative) => best * (1.0 - self.threshold),
            (Direction::Minimize, ThresholdMode::Absolute) => best - self.threshold,
            (Direction::Maximize, ThresholdMode::Relative) => best * (self.threshold + 1.0),
            (Direction::Maximize, ThresholdMode::Absolute) => best + self.threshold,
        };
        mode.is_better(value, bar)
    }

    fn reduced(&self, rate: f64) -> f64 {
        let lower = (rate * self.factor).max(self.min_lr);
        if rate - lower > self.eps { lower } else { rate }
    }
}

impl Callback for ReduceOnPlateau {
    fn effects(&self) -> Effects {
        // Behind whoever logs the metric.
        Effects::in_phase(Phase::Decide)
            .reads(self.rule.monitor.resource())
            .writes(Resource::LearningRate)
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        vec![("schedule", "reduce_on_plateau".into()), ("factor", self.rule.factor.into())]
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let (rule, track) = (self.rule.clone(), Track::default());
        Some(CallbackRecipe::ReduceOnPlateau(Self { rule, track }))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        let rule = &self.rule;
        let not_negative = |setting, value: f64| {
            let ok = value >= 0.0 && value.is_finite();
            require(ok, NAME, setting, value, "a finite number, at least 0")
        };
        let below_1 = rule.factor > 0.0 && rule.factor < 1.0;
        require(below_1, NAME, "factor", rule.factor, "above 0 and below 1")?;
        not_negative("threshold", rule.threshold)?;
        if rule.threshold_mode == ThresholdMode::Relative {
            let share = rule.threshold;
            require(share < 1.0, NAME, "threshold", share, "below 1, as a share of the best")?;
        }
        not_negative("min_lr", rule.min_lr)?;
        not_negative("eps", rule.eps)
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.rule.monitor.begin(fit);
        Ok(Flow::Continue)
    }

    fn batch_start(&mut self, batch: &mut BatchStart<'_>) -> Reply {
        let (warmup, track) = (self.rule.warmup, &mut self.track);
        let mut rate = track.goal.unwrap_or(batch.learning_rate());
        if std::mem::take(&mut track.due) {
            rate = self.rule.reduced(rate);
        }
        let updates = batch.counters.updates_applied;
        if updates < warmup {
            track.goal = Some(rate);
            rate *= (updates + 1) as f64 / (warmup as f64 + 1.0);
        } else {
            track.goal = None;
        }
        batch.set_learning_rate(rate);
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let value = self.rule.monitor.value(epoch)?;
        self.track.due = self.rule.check(&mut self.track, value);
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of(NAME, &self.track)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.track = state.get(NAME)?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "plateau_tests.rs"]
mod tests;
