//! Callbacks made of callbacks, and of closures.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::CallbackRecipe;

use super::stack::{attribute, everyone, in_turn};
use super::{
    Callback, CallbackError, CallbackState, Effects, EpochEnd, Flow, Moment, Reply, StepEnd,
};

/// Passes the moments of a step on only for every `n`th step (the 1st, the `n+1`th, …); all other
/// moments always. `n` = 0 counts as 1.
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
    fn name(&self) -> Cow<'static, str> {
        self.callback.name()
    }

    fn effects(&self) -> Effects {
        self.callback.effects()
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        self.callback.params()
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let of = Box::new(self.callback.recipe()?);
        Some(CallbackRecipe::Every { n: self.n, of })
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        self.callback.save()
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.callback.load(state)
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

impl<C: Callback> Callback for Option<C> {
    fn name(&self) -> Cow<'static, str> {
        self.as_ref().map_or(Cow::Borrowed("None"), Callback::name)
    }

    fn effects(&self) -> Effects {
        self.as_ref().map(Callback::effects).unwrap_or_default()
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        self.as_ref().map(Callback::params).unwrap_or_default()
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        match self {
            Some(callback) => callback.recipe(),
            None => Some(CallbackRecipe::All { of: Vec::new() }),
        }
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        self.as_ref().map_or_else(|| Ok(CallbackState::empty()), Callback::save)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.as_mut().map_or(Ok(()), |c| c.load(state))
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        self.as_mut().map_or(Ok(Flow::Continue), |c| c.on(moment))
    }
}

impl<C: Callback + ?Sized> Callback for Box<C> {
    fn name(&self) -> Cow<'static, str> {
        (**self).name()
    }

    fn effects(&self) -> Effects {
        (**self).effects()
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        (**self).params()
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        (**self).recipe()
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        (**self).save()
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        (**self).load(state)
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        (**self).on(moment)
    }
}

/// Called in the order of the vector, in the earliest phase of any member; to the stack it is one
/// callback, so members may write the same thing one after the other.
impl<C: Callback> Callback for Vec<C> {
    fn name(&self) -> Cow<'static, str> {
        let names: Vec<_> = self.iter().map(Callback::name).collect();
        Cow::Owned(format!("[{}]", names.join(", ")))
    }

    fn effects(&self) -> Effects {
        self.iter().map(Callback::effects).reduce(Effects::union).unwrap_or_default()
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        self.iter().flat_map(Callback::params).collect()
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let of = self.iter().map(Callback::recipe).collect::<Option<_>>()?;
        Some(CallbackRecipe::All { of })
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        let states = self.iter().map(Callback::save).collect::<Result<Vec<_>, _>>()?;
        if states.iter().all(|state| *state == CallbackState::empty()) {
            return Ok(CallbackState::empty());
        }
        CallbackState::of("Vec", &States(states))
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        if *state == CallbackState::empty() {
            return Ok(());
        }
        let States(states) = state.get("Vec")?;
        if states.len() != self.len() {
            let reason = format!("{} callbacks were saved, {} are here", states.len(), self.len());
            return Err(CallbackError::State { callback: self.name().into_owned(), reason });
        }
        self.iter_mut().zip(&states).try_for_each(|(c, s)| c.load(s))
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        // Under the member's name: the stack knows only the whole vector's.
        everyone(in_turn(self, moment), |callback| {
            attribute(callback.on(moment), || callback.name().into_owned())
        })
    }
}

#[derive(Serialize, Deserialize)]
struct States(Vec<CallbackState>);

/// A closure called at the end of every step.
///
/// ```
/// use trainbook_callbacks::{Flow, on_step_end};
///
/// let guard = on_step_end(|step| Ok(if step.loss() > 10.0 { Flow::stop("diverged") } else { Flow::Continue }));
/// ```
pub fn on_step_end<F>(f: F) -> OnStepEnd<F>
where
    F: FnMut(&StepEnd<'_>) -> Reply + Send,
{
    OnStepEnd(f)
}

/// See [`on_step_end`].
pub struct OnStepEnd<F>(F);

impl<F: FnMut(&StepEnd<'_>) -> Reply + Send> Callback for OnStepEnd<F> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("on_step_end")
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        (self.0)(step)
    }
}

/// A closure called at the end of every epoch.
pub fn on_epoch_end<F>(f: F) -> OnEpochEnd<F>
where
    F: FnMut(&EpochEnd<'_>) -> Reply + Send,
{
    OnEpochEnd(f)
}

/// See [`on_epoch_end`].
pub struct OnEpochEnd<F>(F);

impl<F: FnMut(&EpochEnd<'_>) -> Reply + Send> Callback for OnEpochEnd<F> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("on_epoch_end")
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        (self.0)(epoch)
    }
}
