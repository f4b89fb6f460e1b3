//! Callbacks that are not told of everything.

use std::borrow::Cow;

use trainbook_store::Value;

use crate::CallbackRecipe;

use super::{Callback, CallbackError, CallbackState, Counters, Effects, Flow, Moment, Reply};

/// All that a wrapper leaves to the callback in it: everything but `recipe` and `on`.
macro_rules! left_to_the_callback {
    () => {
        fn name(&self) -> Cow<'static, str> {
            self.callback.name()
        }

        fn effects(&self) -> Effects {
            self.callback.effects()
        }

        fn params(&self) -> Vec<(&'static str, Value)> {
            self.callback.params()
        }

        fn save(&self) -> Result<CallbackState, CallbackError> {
            self.callback.save()
        }

        fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
            self.callback.load(state)
        }
    };
}

/// Passes the moments of a step on only for every `n`th step (the 1st, the `n+1`th, …); all other
/// moments always. `n` = 0 counts as 1. For what looks at steps, and not for what counts them itself:
/// [`Checkpoint::every_steps`](crate::Checkpoint::every_steps) would never see the ones it waits for.
///
/// ```
/// use trainbook_callbacks::{Callback, GradientMonitor, every};
///
/// let monitor = every(10, GradientMonitor::new()); // steps 1, 11, 21, …
/// assert_eq!(monitor.name(), "GradientMonitor");
/// ```
pub fn every<C: Callback>(n: u64, callback: C) -> Every<C> {
    Every { n: n.max(1), callback, open: true }
}

/// See [`every`].
pub struct Every<C> {
    n: u64,
    callback: C,
    open: bool,
}

impl<C: Callback> Callback for Every<C> {
    left_to_the_callback!();

    fn recipe(&self) -> Option<CallbackRecipe> {
        let of = Box::new(self.callback.recipe()?);
        Some(CallbackRecipe::Every { n: self.n, of })
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        // Counters move in the middle of a step, so the choice is made where its batches begin, by
        // the one that is the same for all of them.
        if let Moment::BatchStart(batch) = moment {
            self.open = batch.counters.updates_attempted % self.n == 0;
        }
        if moment.is_per_step() && !self.open {
            Ok(Flow::Continue)
        } else {
            self.callback.on(moment)
        }
    }
}

/// Keeps a callback still for the first `steps` steps of the trainer's life: it is told of no step
/// among them, and of the begin and the end of no epoch that come before them. Of `Setup`,
/// `FitStart` and `FitEnd` it is always told.
///
/// ```
/// use trainbook_callbacks::{Callback, CallbackRecipe, Clip, after};
///
/// let clip = after(1000, Clip::global_norm(1.0)); // from the 1001st step on
/// assert!(matches!(clip.recipe(), Some(CallbackRecipe::After { steps: 1000, .. })));
/// ```
pub fn after<C: Callback>(steps: u64, callback: C) -> After<C> {
    After { steps, callback, gate: Gate::default() }
}

/// See [`after`].
pub struct After<C> {
    steps: u64,
    callback: C,
    gate: Gate,
}

impl<C: Callback> Callback for After<C> {
    left_to_the_callback!();

    fn recipe(&self) -> Option<CallbackRecipe> {
        let of = Box::new(self.callback.recipe()?);
        Some(CallbackRecipe::After { steps: self.steps, of })
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let steps = self.steps;
        if self.gate.passes(moment, |at| at.updates_attempted >= steps) {
            self.callback.on(moment)
        } else {
            Ok(Flow::Continue)
        }
    }
}

/// Tells a callback only of those steps and epochs for which `holds` says so, by what the counters
/// are where they begin. It is asked once for
///
/// - all moments of a step, at its first batch,
/// - `EpochStart`,
/// - `ValidationStart`, `Validated` or `EpochEnd`, and `ValidationEnd` together, at the first of them.
///
/// Of `Setup`, `FitStart` and `FitEnd` the callback is always told. `holds` must go by the counters
/// alone: then a fit that is resumed asks it the same and hears the same. A run records the callback
/// by its name only, since it cannot record a closure.
///
/// ```
/// use trainbook_callbacks::{Callback, GradientMonitor, when};
///
/// let monitor = when(|at| at.epoch < 3, GradientMonitor::new()); // in the first three epochs
/// assert_eq!(monitor.effects(), GradientMonitor::new().effects());
/// ```
pub fn when<P, C>(holds: P, callback: C) -> When<P, C>
where
    P: Fn(Counters) -> bool + Send,
    C: Callback,
{
    When { holds, callback, gate: Gate::default() }
}

/// See [`when`].
pub struct When<P, C> {
    holds: P,
    callback: C,
    gate: Gate,
}

impl<P: Fn(Counters) -> bool + Send, C: Callback> Callback for When<P, C> {
    left_to_the_callback!();

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        if self.gate.passes(moment, &self.holds) {
            self.callback.on(moment)
        } else {
            Ok(Flow::Continue)
        }
    }
}

/// What was decided for the moments that belong together.
#[derive(Default)]
struct Gate {
    open: bool,
    /// The step for which it was, by the updates attempted before it.
    step: Option<u64>,
}

impl Gate {
    fn passes(&mut self, moment: &Moment<'_, '_>, holds: impl Fn(Counters) -> bool) -> bool {
        match moment {
            Moment::Setup(_) | Moment::CheckpointWritten(_) | Moment::FitEnd(_) => true,
            Moment::FitStart(_) => {
                self.step = None; // the fit before may have ended in the middle of a step
                true
            }
            Moment::EpochStart(epoch) => holds(epoch.counters),
            Moment::BatchStart(batch) => {
                let step = Some(batch.counters.updates_attempted);
                if self.step != step {
                    (self.step, self.open) = (step, holds(batch.counters));
                }
                self.open
            }
            Moment::ValidationStart(validation) => {
                (self.step, self.open) = (None, holds(validation.counters));
                self.open
            }
            _ => self.open,
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
