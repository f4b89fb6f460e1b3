//! What mixed precision comes to: the scale of the loss, and the steps that it cost.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::{
    Callback, CallbackError, CallbackState, Effects, EpochEnd, FitStart, Flow, Reply, Resource,
    StepEnd,
};

const LOSS_SCALE: Name = Name::new_static("loss_scale");
const OVERFLOWED_STEPS: Name = Name::new_static("overflowed_steps");

/// Steps of a fit from which on its share of overflows says something: the first ones look for the
/// scale.
const ENOUGH: u64 = 200;
/// The share of overflowed steps above which something is wrong.
const OFTEN: f64 = 0.05;

/// Watches the scale of the loss under mixed precision. The trainer adds it where there is one.
///
/// Logs `loss_scale` at every step, by what its loss was multiplied, and `overflowed_steps` at the
/// end of every epoch: how many steps, over the trainer's life, were left out because a gradient
/// was not finite in f16.
///
/// Warns, once a fit, when the scale falls below 1, and when more than 5 % of 200 or more steps
/// overflow.
#[derive(Clone, Debug, Default)]
pub struct LossScaleMonitor {
    counts: Counts,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    /// Over the trainer's life.
    overflowed: u64,
    fit: InFit,
}

/// What there was in this fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct InFit {
    steps: u64,
    overflowed: u64,
    warned_of_scale: bool,
    warned_of_overflows: bool,
}

impl LossScaleMonitor {
    /// Watches.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Callback for LossScaleMonitor {
    fn effects(&self) -> Effects {
        Effects::default()
            .writes(Resource::StepMetric(LOSS_SCALE))
            .writes(Resource::Metric(OVERFLOWED_STEPS))
    }

    fn fit_start(&mut self, _: &FitStart<'_>) -> Reply {
        self.counts.fit = InFit::default();
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let Some(scale) = step.scale else { return Ok(Flow::Continue) };
        step.log.push(LOSS_SCALE, scale.scale.into());
        let Counts { overflowed, fit } = &mut self.counts;
        fit.steps += 1;
        if scale.overflowed {
            *overflowed += 1;
            fit.overflowed += 1;
        }
        if scale.scale < 1.0 && !std::mem::replace(&mut fit.warned_of_scale, true) {
            step.log.warn(format!(
                "the scale of the loss is {} at step {}: the gradients themselves are \
                 too large for f16; a lower learning rate, clipping or a normalisation in front of \
                 the layer that grows cures that, and so does `Precision::F32`",
                scale.scale, step.counters.batches_seen
            ));
        }
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let Counts { overflowed, fit } = &mut self.counts;
        epoch.log.push(OVERFLOWED_STEPS, *overflowed as f64);
        let share = fit.overflowed as f64 / fit.steps as f64;
        if fit.steps >= ENOUGH
            && share > OFTEN
            && !std::mem::replace(&mut fit.warned_of_overflows, true)
        {
            epoch.log.warn(format!(
                "{} of {} steps ({:.1} %) were left out because a gradient was not finite in f16: \
                 the network trains on less data than it seems; a lower learning rate, clipping or \
                 `Precision::F32` cures that, and a longer `growth_interval` of the loss scale \
                 where it grows too soon",
                fit.overflowed,
                fit.steps,
                100.0 * share
            ));
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("LossScaleMonitor", &self.counts)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.counts = state.get("LossScaleMonitor")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepScale;
    use crate::fake::Fake;

    /// What is warned of in fits of so many epochs of 60 steps, one behind the other.
    fn warnings(scale: fn(u64) -> StepScale, fits: &[u64]) -> Vec<String> {
        let mut fake = Fake::with(LossScaleMonitor::new()).batches(60);
        fake.scale = Box::new(move |step| Some(scale(step)));
        fits.iter().for_each(|epochs| fake.fit(*epochs));
        fake.seen.warnings
    }

    #[test]
    fn scales_and_overflows_are_logged() {
        let mut fake = Fake::with(LossScaleMonitor::new()).batches(4);
        fake.scale = Box::new(|step| {
            Some(StepScale { scale: 8.0 / step as f32, overflowed: matches!(step, 2 | 3 | 7) })
        });
        fake.fit(2);
        let scales: Vec<f64> = (1..=8).map(|step| f64::from(8.0 / step as f32)).collect();
        assert_eq!(fake.seen.step_metric("loss_scale"), scales);
        assert_eq!(fake.seen.epoch_metric("overflowed_steps"), [2.0, 3.0]);
        fake.fit(1);
        assert_eq!(fake.seen.epoch_metric("overflowed_steps"), [2.0, 3.0, 3.0]);
    }

    #[test]
    fn more_than_a_twentieth_is_too_often_once_there_are_enough() {
        let rarely = |step: u64| StepScale { scale: 8.0, overflowed: step.is_multiple_of(20) };
        assert_eq!(warnings(rarely, &[10]), [""; 0]);
        let often = |step: u64| StepScale { scale: 8.0, overflowed: step.is_multiple_of(15) };
        assert_eq!(warnings(often, &[3]), [""; 0]); // 180 steps
        let once = warnings(often, &[9]);
        assert_eq!(once.len(), 1);
        assert!(once[0].starts_with("16 of 240 steps (6.7 %) were left out"), "{}", once[0]);
        // Of each fit by itself.
        assert_eq!(warnings(often, &[4, 3]).len(), 1);
        assert_eq!(warnings(often, &[4, 4]).len(), 2);
    }

    #[test]
    fn a_scale_below_one_is_too_small() {
        let falling = |step: u64| StepScale { scale: 4.0 / step as f32, overflowed: false };
        let once = warnings(falling, &[1]);
        assert_eq!(once.len(), 1);
        assert!(once[0].contains("scale of the loss is 0.8 at step 5"), "{}", once[0]);
        assert_eq!(warnings(|_| StepScale { scale: 1.0, overflowed: false }, &[1]), [""; 0]);
    }
}
