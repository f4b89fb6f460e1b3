//! What a curve is, and the list of them.
//!
//! A new one is a file in `curves/` with a struct that is a [`Shape`], a line in each list here, and
//! a function of [`LrSchedule`](super::LrSchedule) that makes it.

use serde::{Deserialize, Serialize};

use super::curves::{
    Constant, Cosine, CosineWithRestarts, Cyclic, Exponential, InverseSqrt, Linear, MultiStep,
    OneCycle, Polynomial, StableDecay, Step,
};
use crate::CallbackError;
use crate::setting::require;

/// A learning rate as a function of where in the fit it is. Pure: no state, no clock.
pub(super) trait Shape {
    /// What it is called in a record and in a query, the same as in [`Curve`]'s JSON.
    fn name(&self) -> &'static str;

    /// The rate that a run is found by: the largest, unless the curve grows without end.
    fn lr(&self) -> f64;

    /// Refuses settings that make no sense.
    fn check(&self) -> Result<(), CallbackError>;

    /// The rate at `at`, whose step is before its total.
    fn rate_at(&self, at: &Place) -> f64;

    /// The momentum at `at`, for a curve that cycles it. Default: it is the optimiser's.
    fn momentum_at(&self, at: &Place) -> Option<f64> {
        let _ = at;
        None
    }

    /// Whether it goes down to [`Place::min_lr`]. Default: no.
    fn has_min_lr(&self) -> bool {
        false
    }
}

/// Where in a fit, warmup left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The update, from 0.
    pub step: u64,
    /// Updates of the fit, at least 1.
    pub total: u64,
    /// Updates in an epoch, at least 1.
    pub steps_per_epoch: u64,
    /// The lowest rate, for curves that have one.
    pub min_lr: f64,
}

impl Place {
    /// Epochs finished.
    pub fn epoch(&self) -> u64 {
        self.step / self.steps_per_epoch
    }

    /// The share of the updates before this one, in [0, 1).
    pub fn part(&self) -> f64 {
        self.step as f64 / self.total as f64
    }
}

/// The range of a momentum that goes down where the rate goes up, and up again with it going down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MomentumRange {
    pub base: f64,
    pub max: f64,
}

impl MomentumRange {
    pub fn check(self) -> Result<(), CallbackError> {
        let Self { base, max } = self;
        check((0.0..1.0).contains(&max), "max_momentum", max, "at least 0 and below 1")?;
        check((0.0..=max).contains(&base), "base_momentum", base, "between 0 and max_momentum")
    }
}

/// A curve with its settings, as a record has it: `{"step": {"lr": 0.1, …}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Curve {
    /// One rate.
    Constant(Constant),
    /// Up and down once.
    OneCycle(OneCycle),
    /// Down along a half cosine.
    Cosine(Cosine),
    /// Down along half cosines, again and again.
    CosineWithRestarts(CosineWithRestarts),
    /// Down by a factor every so many epochs.
    Step(Step),
    /// Down by a factor at given epochs.
    MultiStep(MultiStep),
    /// Down by a factor at every epoch.
    Exponential(Exponential),
    /// Down along a line.
    Linear(Linear),
    /// Down along a power of what remains.
    Polynomial(Polynomial),
    /// Up and down, again and again.
    Cyclic(Cyclic),
    /// Up along a line, then down with the square root of the updates.
    InverseSqrt(InverseSqrt),
    /// One rate, and down at the end.
    #[serde(rename = "warmup_stable_decay")]
    StableDecay(StableDecay),
}

impl Curve {
    pub(super) fn shape(&self) -> &dyn Shape {
        match self {
            Self::Constant(curve) => curve,
            Self::OneCycle(curve) => curve,
            Self::Cosine(curve) => curve,
            Self::CosineWithRestarts(curve) => curve,
            Self::Step(curve) => curve,
            Self::MultiStep(curve) => curve,
            Self::Exponential(curve) => curve,
            Self::Linear(curve) => curve,
            Self::Polynomial(curve) => curve,
            Self::Cyclic(curve) => curve,
            Self::InverseSqrt(curve) => curve,
            Self::StableDecay(curve) => curve,
        }
    }
}

/// Refuses a setting that is not a finite number above 0.
pub(super) fn positive(setting: &'static str, value: f64) -> Result<(), CallbackError> {
    check(value > 0.0 && value.is_finite(), setting, value, "a finite number above 0")
}

/// Refuses a setting that is not `ok`.
pub(super) fn check(
    ok: bool,
    setting: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<(), CallbackError> {
    require(ok, "LrSchedule", setting, value, expected)
}
