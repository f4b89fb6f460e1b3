//! In what precision a network is trained, and the scale of its loss.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainbook_callbacks::StepScale;

use crate::NnError;

/// In what precision a network is trained. Its weights are f32 in each, and so are evaluations,
/// predictions and exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Everything is f32.
    #[default]
    F32,
    /// Forward and backward passes compute with an f16 copy of the weights and f16 activations and
    /// gradients, and in f32 what needs it ([`Autocast`](crate::layer::Autocast) says which layer
    /// does what): sums, softmax, the statistics of normalisations, and the loss. Weights, moments
    /// and gathered gradients are f32. The loss is multiplied by a scale that follows the gradients
    /// ([`LossScale`]).
    ///
    /// Micikevicius et al. 2018 (arXiv:1710.03740). On the processor f16 is rounded to and not
    /// computed in, which is slower than f32: there to see what an accelerator would make of it.
    Mixed,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Mixed => "mixed",
        })
    }
}

/// By what the loss is multiplied under mixed precision, so that small gradients are not rounded to
/// 0 in f16, nor large ones to infinity. The gradients are divided by it again before anybody sees
/// them.
///
/// A step with a gradient that is not finite is left out, and the scale multiplied by
/// `backoff_factor`; after `growth_interval` good steps in a row it is multiplied by
/// `growth_factor`, unless that is infinite. Names, defaults and arithmetic are those of PyTorch's
/// `torch.amp.GradScaler`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossScale {
    init_scale: f64,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: u32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { init_scale: 65536.0, growth_factor: 2.0, backoff_factor: 0.5, growth_interval: 2000 }
    }
}

impl LossScale {
    /// Where it begins: above 0. Default 65536.
    #[must_use]
    pub fn init_scale(mut self, scale: f64) -> Self {
        self.init_scale = scale;
        self
    }

    /// By what it is multiplied after good steps: above 1. Default 2.
    #[must_use]
    pub fn growth_factor(mut self, factor: f64) -> Self {
        self.growth_factor = factor;
        self
    }

    /// By what it is multiplied after a step that is left out: between 0 and 1. Default 0.5.
    #[must_use]
    pub fn backoff_factor(mut self, factor: f64) -> Self {
        self.backoff_factor = factor;
        self
    }

    /// Good steps in a row before it grows: at least 1. Default 2000.
    #[must_use]
    pub fn growth_interval(mut self, steps: u32) -> Self {
        self.growth_interval = steps;
        self
    }

    fn begin(self) -> LossScaleState {
        LossScaleState { scale: self.init_scale as f32, good_steps: 0 }
    }

    fn check(self) -> Result<(), NnError> {
        // As f32, in which the scale is.
        let [init, growth, backoff] =
            [self.init_scale, self.growth_factor, self.backoff_factor].map(|value| value as f32);
        let checks = [
            (
                "init_scale",
                self.init_scale,
                init > 0.0 && init.recip().is_finite(),
                "a number above 0 in f32",
            ),
            ("growth_factor", self.growth_factor, growth > 1.0, "a number above 1"),
            (
                "backoff_factor",
                self.backoff_factor,
                backoff > 0.0 && backoff < 1.0,
                "a number between 0 and 1",
            ),
            (
                "growth_interval",
                self.growth_interval.into(),
                self.growth_interval > 0,
                "at least 1",
            ),
        ];
        match checks
            .into_iter()
            .find(|(_, value, holds, _)| !(*holds && (*value as f32).is_finite()))
        {
            None => Ok(()),
            Some((setting, value, _, expected)) => Err(NnError::Setting {
                setting,
                value: value.to_string(),
                expected: expected.to_owned(),
            }),
        }
    }
}

/// How far the scale of the loss has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScaleState {
    /// By what the next loss is multiplied.
    pub scale: f32,
    /// Good steps in a row since it was changed.
    pub good_steps: u32,
}

/// The scale of the loss, on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossScaler {
    settings: LossScale,
    pub state: LossScaleState,
    /// Whether a gradient of this step was not finite.
    overflowed: bool,
}

impl LossScaler {
    pub fn new(settings: LossScale) -> Result<Self, NnError> {
        settings.check()?;
        Ok(Self { settings, state: settings.begin(), overflowed: false })
    }

    /// Adds the gradients of a scaled loss to others, divided by the scale. If one is not finite the
    /// step has overflowed.
    pub fn unscale(&mut self, scaled: &[f32], into: &mut [f32]) {
        let inverse = f64::from(self.state.scale).recip() as f32;
        let mut finite = true;
        for (gradient, scaled) in into.iter_mut().zip(scaled) {
            // A scale so small that nothing can be divided by it overflows too.
            let unscaled = scaled * inverse;
            finite &= scaled.is_finite() && unscaled.is_finite();
            *gradient += unscaled;
        }
        self.overflowed |= !finite;
    }

    /// Ends a step of which somebody else has seen whether it overflowed.
    pub fn end_step_with(&mut self, overflowed: bool) -> StepScale {
        self.overflowed = overflowed;
        self.end_step()
    }

    /// Ends a step: says how it was, and moves on to the scale of the next one.
    pub fn end_step(&mut self) -> StepScale {
        let Self { settings, state, overflowed } = self;
        let step = StepScale { scale: state.scale, overflowed: std::mem::take(overflowed) };
        if step.overflowed {
            state.scale = (f64::from(state.scale) * settings.backoff_factor) as f32;
            state.good_steps = 0;
            return step;
        }
        state.good_steps += 1;
        if state.good_steps >= settings.growth_interval {
            let grown = (f64::from(state.scale) * settings.growth_factor) as f32;
            if grown.is_finite() {
                state.scale = grown;
            }
            state.good_steps = 0;
        }
        step
    }

    /// Goes on from a state; without one, from the beginning.
    ///
    /// # Errors
    /// No scale is like that.
    pub fn load(&mut self, state: Option<LossScaleState>) -> Result<(), NnError> {
        let state = state.unwrap_or(self.settings.begin());
        if !(state.scale.is_finite() && state.scale > 0.0) {
            return Err(NnError::State(format!("its loss has the scale {}", state.scale)));
        }
        *self = Self { state, overflowed: false, ..*self };
        Ok(())
    }

    /// Forgets the step under way.
    pub fn clear(&mut self) {
        self.overflowed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let says = |scale: LossScale, setting: &str| {
            let error = LossScaler::new(scale).unwrap_err().to_string();
            assert!(error.contains(setting), "{error}");
        };
        for scale in [0.0, -1.0, 1e-60, 1e-40, 1e60, f64::NAN, f64::INFINITY] {
            says(LossScale::default().init_scale(scale), "init_scale");
        }
        for factor in [1.0, 1.0 + 1e-12, 0.5, f64::NAN, f64::INFINITY] {
            says(LossScale::default().growth_factor(factor), "growth_factor");
        }
        for factor in [0.0, 1e-60, 1.0 - 1e-12, 1.0, -0.5, f64::NAN] {
            says(LossScale::default().backoff_factor(factor), "backoff_factor");
        }
        says(LossScale::default().growth_interval(0), "growth_interval");
        assert!(LossScaler::new(LossScale::default()).is_ok());
    }

    #[test]
    fn a_scale_too_small_to_divide_by_overflows() {
        let mut scaler = LossScaler::new(LossScale::default()).unwrap();
        let state = |scale| Some(LossScaleState { scale, good_steps: 0 });
        scaler.load(state(1e-40)).unwrap();
        let mut gradients = [0.0, 0.0];
        scaler.unscale(&[0.0, 1e-40], &mut gradients);
        assert!(scaler.end_step().overflowed);
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(scaler.load(state(scale)).is_err());
        }
        scaler.load(None).unwrap();
        assert_eq!(scaler.end_step().scale, 65536.0);
    }

    #[test]
    fn a_scale_never_grows_to_infinity() {
        let settings =
            LossScale::default().init_scale(f64::from(f32::MAX / 2.0)).growth_interval(1);
        let mut scaler = LossScaler::new(settings).unwrap();
        let scales: Vec<f32> = (0..3).map(|_| scaler.end_step().scale).collect();
        assert_eq!(scales, [f32::MAX / 2.0, f32::MAX, f32::MAX]);
    }
}
