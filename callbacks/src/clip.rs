//! Gradients of limited size.

use serde::{Deserialize, Serialize};
use trainbook_store::{Name, Value};

use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, Effects, EpochEnd, EpochStart, Flow,
    GradientEdit, Phase, Reply, Resource, Setup,
};

const CLIPPED: Name = Name::new_static("clipped");
const CLIPPED_SHARE: Name = Name::new_static("clipped_share");

/// Limits the gradients before the update.
///
/// Logs `clipped` (1 when this step's gradients were changed, else 0) at every step and
/// `clipped_share` (their mean over the epoch) at the end of every epoch. More than a half is a
/// sign that the learning rate is too high; a good limit clips about one step in ten.
///
/// Gradients whose norm is NaN or infinite are left as they are: scaling them would only spread the
/// damage. [`NanGuard`](crate::NanGuard) deals with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clip {
    #[serde(flatten)]
    limit: Limit,
    #[serde(skip)]
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Limit {
    GlobalNorm(f64),
    Value(f32),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    steps: u64,
    clipped: u64,
}

impl Clip {
    /// Scales all gradients by `min(1, max / (norm + 1e-6))`, where `norm` is the Euclidean norm
    /// over all of them, as `torch.nn.utils.clip_grad_norm_` does. `max` is in the unit of the
    /// norm; 1.0 is a usual choice.
    pub fn global_norm(max: f64) -> Self {
        Self { limit: Limit::GlobalNorm(max), counts: Counts::default() }
    }

    /// Limits every element to `[-limit, limit]`, as `torch.nn.utils.clip_grad_value_` does. This
    /// changes the gradient's direction.
    pub fn value(limit: f32) -> Self {
        Self { limit: Limit::Value(limit), counts: Counts::default() }
    }
}

/// What to multiply gradients of this norm by, at most 1 (`torch.nn.utils.clip_grad_norm_`).
fn coefficient(norm: f64, max: f64) -> f32 {
    (max / (norm + 1e-6)).min(1.0) as f32
}

impl Callback for Clip {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Change)
            .writes(Resource::Gradients)
            .writes(Resource::Metric(CLIPPED))
            .writes(Resource::Metric(CLIPPED_SHARE))
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        match self.limit {
            Limit::GlobalNorm(max) => vec![("clip_norm", max.into())],
            Limit::Value(limit) => vec![("clip_value", limit.into())],
        }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::Clip(Self { limit: self.limit, counts: Counts::default() }))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        let (setting, limit) = match self.limit {
            Limit::GlobalNorm(max) => ("global_norm", max),
            Limit::Value(limit) => ("value", limit.into()),
        };
        require(limit > 0.0 && limit.is_finite(), "Clip", setting, limit, "a finite number above 0")
    }

    fn epoch_start(&mut self, _: &EpochStart<'_>) -> Reply {
        self.counts = Counts::default();
        Ok(Flow::Continue)
    }

    fn change_gradients(&mut self, step: &mut GradientEdit<'_>) -> Reply {
        let norm = step.gradients.global_norm()?;
        let clipped = norm.is_finite()
            && match self.limit {
                Limit::GlobalNorm(max) => {
                    let coefficient = coefficient(norm, max);
                    if coefficient < 1.0 {
                        step.gradients.scale(coefficient)?;
                    }
                    coefficient < 1.0
                }
                // No element is larger than the norm, so a small norm needs no pass over the
                // elements.
                Limit::Value(limit) if norm <= f64::from(limit) => false,
                Limit::Value(limit) => {
                    step.gradients.clamp(limit)?;
                    step.gradients.global_norm()? < norm
                }
            };
        self.counts.steps += 1;
        self.counts.clipped += u64::from(clipped);
        step.log.push(CLIPPED, f64::from(u8::from(clipped)));
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if self.counts.steps > 0 {
            epoch.log.push(CLIPPED_SHARE, self.counts.clipped as f64 / self.counts.steps as f64);
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("Clip", &self.counts)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.counts = state.get("Clip")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, setup_error};

    /// Two tensors with norm 5 · factor.
    fn gradients(factor: f32) -> Vec<Vec<f32>> {
        vec![vec![3.0 * factor], vec![0.0, -4.0 * factor]]
    }

    #[test]
    fn the_norm_is_limited_as_torch_does() {
        // torch.nn.utils.clip_grad_norm_ on [3], [0, -4] with max_norm 1: coefficient 1 / (5 +
        // 1e-6)
        let mut fake = Fake::with(Clip::global_norm(1.0)).batches(2);
        fake.gradients = Box::new(|step| gradients(if step == 1 { 1.0 } else { 0.1 }));
        fake.fit(1);
        let clipped = &fake.seen.gradients[0];
        assert!((f64::from(clipped[0][0]) - 0.599_999_88).abs() < 1e-7, "{clipped:?}");
        assert!((f64::from(clipped[1][1]) + 0.799_999_84).abs() < 1e-7, "{clipped:?}");
        assert_eq!(fake.seen.gradients[1], gradients(0.1), "a norm of 0.5 is below 1");
        assert_eq!(fake.seen.step_metric("clipped"), [1.0, 0.0]);
        assert_eq!(fake.seen.epoch_metric("clipped_share"), [0.5]);
    }

    #[test]
    fn the_coefficient_never_grows_gradients() {
        assert_eq!(coefficient(0.0, 1.0), 1.0);
        assert_eq!(coefficient(0.5, 1.0), 1.0);
        assert_eq!(coefficient(2.0 - 1e-6, 1.0), 0.5);
    }

    #[test]
    fn elements_are_limited() {
        let mut fake = Fake::with(Clip::value(3.5)).batches(3);
        fake.gradients = Box::new(|step| match step {
            1 => gradients(1.0),
            2 => vec![vec![3.4], vec![-3.4, 3.5]],
            _ => gradients(0.1),
        });
        fake.fit(1);
        assert_eq!(fake.seen.gradients[0], [vec![3.0], vec![0.0, -3.5]]);
        assert_eq!(fake.seen.gradients[1], [vec![3.4], vec![-3.4, 3.5]]);
        assert_eq!(fake.seen.step_metric("clipped"), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_not_finite_is_left_alone() {
        for clip in [Clip::global_norm(1.0), Clip::value(1.0)] {
            let mut fake = Fake::with(clip).batches(1);
            fake.gradients = Box::new(|_| vec![vec![f32::INFINITY], vec![7.0, 0.0]]);
            fake.fit(1);
            assert_eq!(fake.seen.gradients[0], [vec![f32::INFINITY], vec![7.0, 0.0]]);
            assert_eq!(fake.seen.step_metric("clipped"), [0.0]);
        }
    }

    #[test]
    fn the_share_starts_anew_with_each_epoch() {
        let mut fake = Fake::with(Clip::global_norm(1.0)).batches(2);
        fake.gradients = Box::new(|step| gradients(if step <= 3 { 1.0 } else { 0.1 }));
        fake.fit(2);
        assert_eq!(fake.seen.epoch_metric("clipped_share"), [1.0, 0.5]);
    }

    #[test]
    fn senseless_limits_are_refused() {
        assert_eq!(
            setup_error(Clip::global_norm(-1.0)),
            "set up Clip: global_norm is -1, and must be a finite number above 0"
        );
        assert_eq!(
            setup_error(Clip::value(f32::NAN)),
            "set up Clip: value is NaN, and must be a finite number above 0"
        );
    }
}
