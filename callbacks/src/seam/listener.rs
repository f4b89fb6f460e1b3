//! A callback that listens, for tests.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use trainbook_store::Name;

use super::{Callback, CallbackError, CallbackState, Effects, Flow, Moment, Reply, Setup, Stack};

pub type Heard = Arc<Mutex<Vec<String>>>;

/// Writes down every moment it is told about, and answers as it is told to.
pub struct Listener {
    name: &'static str,
    effects: Effects,
    heard: Heard,
    answer: fn(&str) -> Reply,
    state: u64,
}

impl Callback for Listener {
    fn name(&self) -> Cow<'static, str> {
        self.name.into()
    }

    fn effects(&self) -> Effects {
        self.effects.clone()
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let what = match moment {
            Moment::Setup(_) => "setup".to_owned(),
            Moment::FitStart(_) => "fit_start".to_owned(),
            Moment::EpochStart(_) => "epoch_start".to_owned(),
            Moment::BatchStart(m) => format!("batch_start {}", m.counters.batches_seen + 1),
            Moment::RawGradients(m) => format!("raw {}", m.counters.batches_seen),
            Moment::ChangeGradients(m) => format!("change {}", m.counters.batches_seen),
            Moment::FinalGradients(m) => format!("final {}", m.counters.batches_seen),
            Moment::AfterUpdate(m) => format!("update {}", m.counters.batches_seen),
            Moment::StepEnd(m) => format!("step_end {}", m.counters.batches_seen),
            Moment::ValidationStart(_) => "validation_start".to_owned(),
            Moment::Validated(_) => "validated".to_owned(),
            Moment::ValidationEnd(_) => "validation_end".to_owned(),
            Moment::EpochEnd(_) => "epoch_end".to_owned(),
            Moment::CheckpointWritten(_) => "checkpoint_written".to_owned(),
            Moment::FitEnd(_) => "fit_end".to_owned(),
        };
        let answer = (self.answer)(&what);
        self.state += 1;
        self.heard.lock().unwrap().push(if self.name.is_empty() {
            what
        } else {
            format!("{}: {what}", self.name)
        });
        answer
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of(self.name, &self.state)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.state = state.get(self.name)?;
        Ok(())
    }
}

pub fn listener(name: &'static str, heard: &Heard) -> Listener {
    Listener {
        name,
        effects: Effects::default(),
        heard: heard.clone(),
        answer: |_| Ok(Flow::Continue),
        state: 0,
    }
}

impl Listener {
    pub fn effects(mut self, effects: Effects) -> Self {
        self.effects = effects;
        self
    }

    pub fn answer(mut self, answer: fn(&str) -> Reply) -> Self {
        self.answer = answer;
        self
    }
}

pub fn stack_of<C: Callback + 'static>(callbacks: impl IntoIterator<Item = C>) -> Stack {
    let mut stack = Stack::new();
    callbacks.into_iter().for_each(|c| stack.push(c));
    stack
}

pub fn lines(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

/// One moment, told to the stack.
pub fn tell(stack: &mut Stack) -> Reply {
    stack.on(&mut Moment::Setup(&mut Setup::default()))
}

pub fn metrics(names: &[&str]) -> Vec<Name> {
    names.iter().map(Name::new).collect()
}
