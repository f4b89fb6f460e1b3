use serde::{Deserialize, Serialize};

use crate::CallbackError;
use crate::schedule::curve::{Curve, Place, Shape, check, positive};

/// The options of [`LrSchedule::warmup_stable_decay`](crate::LrSchedule::warmup_stable_decay); the
/// warmup itself is [`LrSchedule::warmup`](crate::LrSchedule::warmup).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StableDecay {
    max_lr: f64,
    decay_share: f64,
    #[serde(default)]
    decay: Decay,
}

/// The way down at the end, with `d` the share of the decay that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// `1 − d`. The default.
    #[default]
    Linear,
    /// `1 − √d`, which Hägele et al. find slightly better.
    OneMinusSqrt,
}

impl StableDecay {
    /// `max_lr`, and in the last fifth of the updates down along a line.
    pub fn at(max_lr: f64) -> Self {
        Self { max_lr, decay_share: 0.2, decay: Decay::default() }
    }

    /// The share of the updates behind the warmup that go down, from 0 to 1. Default: 0.2.
    #[must_use]
    pub fn decay_share(mut self, share: f64) -> Self {
        self.decay_share = share;
        self
    }

    /// Along what the rate goes down. Default: a line.
    #[must_use]
    pub fn decay(mut self, decay: Decay) -> Self {
        self.decay = decay;
        self
    }
}

impl From<StableDecay> for Curve {
    fn from(curve: StableDecay) -> Self {
        Self::StableDecay(curve)
    }
}

impl Shape for StableDecay {
    fn name(&self) -> &'static str {
        "warmup_stable_decay"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        let share = self.decay_share;
        check((0.0..=1.0).contains(&share), "decay_share", share, "between 0 and 1")
    }

    fn rate_at(&self, at: &Place) -> f64 {
        let length = ((self.decay_share * at.total as f64).round() as u64).min(at.total);
        let done = match at.step.checked_sub(at.total - length) {
            Some(step) if length > 0 => step as f64 / length as f64,
            _ => return self.max_lr,
        };
        let left = match self.decay {
            Decay::Linear => 1.0 - done,
            Decay::OneMinusSqrt => 1.0 - done.sqrt(),
        };
        at.min_lr + (self.max_lr - at.min_lr) * left
    }

    fn has_min_lr(&self) -> bool {
        true
    }
}
