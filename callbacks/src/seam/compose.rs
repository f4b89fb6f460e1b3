//! Callbacks made of callbacks.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::CallbackRecipe;

use super::stack::{attribute, everyone, unwound};
use super::{Callback, CallbackError, CallbackState, Effects, Flow, Moment, Reply};

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
        let what = moment.name();
        everyone(self, moment, |callback, moment| {
            let answer = unwound(what, || callback.on(moment));
            attribute(answer, || callback.name().into_owned())
        })
    }
}

#[derive(Serialize, Deserialize)]
struct States(Vec<CallbackState>);
