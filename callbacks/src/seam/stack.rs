//! Several callbacks as one, in a resolved order.

use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use trainbook_store::{CallbackCost, Name, PlannedCallback};

use crate::RecordedCallback;

use super::cost::Costs;
use super::{Callback, CallbackError, CallbackState, Effects, Flow, Moment, Reply, Resource};

/// Nothing, in MessagePack.
const NIL: u8 = 0xc0;

/// The callbacks of a trainer, ordered by [`Phase`](super::Phase), then by insertion.
#[derive(Default)]
pub struct Stack {
    entries: Vec<Entry>,
    /// Behind all others, and no part of the plan.
    observer: Option<Box<dyn Callback>>,
}

struct Entry {
    name: Cow<'static, str>,
    effects: Effects,
    callback: Box<dyn Callback>,
    costs: Costs,
}

impl Entry {
    fn save(&self) -> Result<CallbackState, CallbackError> {
        unwound("save", || self.callback.save())
            .map_err(|error| named(error, || self.name.to_string()))
    }
}

impl Stack {
    /// An empty stack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a callback behind those of its phase.
    pub fn push(&mut self, callback: impl Callback + 'static) {
        let callback: Box<dyn Callback> = Box::new(callback);
        let (name, effects) = (callback.name(), callback.effects());
        let at = self.entries.partition_point(|e| e.effects.phase <= effects.phase);
        self.entries.insert(at, Entry { name, effects, callback, costs: Costs::default() });
    }

    /// Lets this one hear every moment too, behind all others, or nobody. It stands in no plan, no
    /// saved state and no costs, so that a fit with it and one without are the same; but a stop that
    /// it asks for counts.
    pub fn observe(&mut self, observer: Option<Box<dyn Callback>>) {
        self.observer = observer;
    }

    /// Whether a callback of this name is in the stack.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.iter().any(|e| e.name == name)
    }

    /// Whether some callback writes `resource`.
    pub fn writes(&self, resource: &Resource) -> bool {
        self.entries.iter().any(|e| e.effects.writes.contains(resource))
    }

    /// The patterns of the parameter groups that have a learning rate of their own.
    pub fn scheduled_groups(&self) -> impl Iterator<Item = &Name> {
        let written = self.entries.iter().flat_map(|e| &e.effects.writes);
        written.filter_map(|resource| match resource {
            Resource::GroupLearningRate(group) => Some(group),
            _ => None,
        })
    }

    /// Who produces this metric, in steps or at the end of epochs.
    fn producer(&self, metric: &str, of_steps: bool) -> Option<&Entry> {
        let produces = |r: &Resource| r.is_of_steps() == of_steps && r.produces(metric);
        self.entries.iter().find(|e| e.effects.writes.iter().any(produces))
    }

    /// Checks the declared effects against each other and against what the trainer itself produces
    /// each epoch.
    ///
    /// # Errors
    /// Two writers of one resource; a metric that is read and that neither `produced` nor a
    /// callback writes, or one only in steps; a callback that needs a store when `has_store` is
    /// false. The message names the callbacks.
    pub fn plan(&self, produced: &[Name], has_store: bool) -> Result<Plan, CallbackError> {
        for (i, entry) in self.entries.iter().enumerate() {
            for resource in entry.effects.writes.iter().filter(|r| !r.allows_many_writers()) {
                let same = |e: &&Entry| e.effects.writes.iter().any(|r| r.overlaps(resource));
                let earlier = self.entries[..i].iter().find(same);
                let trainer = produced.iter().any(|name| resource.produces(name));
                if let Some(first) =
                    earlier.map(|e| e.name.as_ref()).or(trainer.then_some("the trainer"))
                {
                    return Err(CallbackError::TwoWriters {
                        resource: resource.to_string(),
                        first: first.to_owned(),
                        second: entry.name.to_string(),
                    });
                }
            }
            for resource in &entry.effects.reads {
                if let Resource::Metric(name) = resource
                    && !produced.contains(name)
                    && self.producer(name, false).is_none()
                {
                    if let Some(producer) = self.producer(name, true) {
                        return Err(CallbackError::StepMetric {
                            callback: entry.name.to_string(),
                            metric: name.to_string(),
                            producer: producer.name.to_string(),
                        });
                    }
                    return Err(CallbackError::UnknownMetric {
                        callback: entry.name.to_string(),
                        metric: name.to_string(),
                        hint: self.hint(name, produced),
                    });
                }
            }
            if entry.effects.needs_store && !has_store {
                return Err(CallbackError::NeedsStore { callback: entry.name.to_string() });
            }
        }
        let names = |resources: &[Resource]| resources.iter().map(Resource::to_string).collect();
        Ok(Plan(
            self.entries
                .iter()
                .map(|e| PlannedCallback {
                    name: e.name.to_string(),
                    phase: e.effects.phase.to_string(),
                    reads: names(&e.effects.reads),
                    writes: names(&e.effects.writes),
                })
                .collect(),
        ))
    }

    fn hint(&self, wanted: &str, produced: &[Name]) -> String {
        let written = self.entries.iter().flat_map(|e| &e.effects.writes).filter_map(|r| match r {
            Resource::Metric(name) => Some(name),
            _ => None,
        });
        let mut known: Vec<&str> = produced.iter().chain(written).map(Name::as_str).collect();
        known.sort_by_key(|name| strsim::damerau_levenshtein(name, wanted));
        match known.first() {
            Some(near) if strsim::jaro_winkler(near, wanted) > 0.8 => {
                format!("did you mean {near:?}?")
            }
            Some(_) => format!("there are: {}; {}", known.join(", "), declaring(wanted)),
            None => format!("there are no metrics at all; {}", declaring(wanted)),
        }
    }

    /// Tells every callback about a moment and returns the strongest wish.
    ///
    /// # Errors
    /// The first callback's error or panic, under its name; the callbacks behind it have seen the
    /// moment all the same.
    pub fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let (what, number, per_step) = (moment.name(), moment.number(), moment.is_per_step());
        let reply = everyone(&mut self.entries, moment, |entry, moment| {
            let Entry { name, callback, costs, .. } = entry;
            let reply = costs.around(number, per_step, || unwound(what, || callback.on(moment)));
            attribute(reply, || name.to_string())
        });
        let Some(observer) = &mut self.observer else { return reply };
        let observed = observer.on(moment);
        Ok(reply?.or_stronger(observed?))
    }

    /// What each callback has taken at each moment since [`clear_costs`](Self::clear_costs).
    pub fn costs(&self) -> Vec<CallbackCost> {
        self.entries.iter().flat_map(|entry| entry.costs.of(&entry.name)).collect()
    }

    /// Begins to count anew.
    pub fn clear_costs(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.costs.clear());
    }

    /// Every callback with its settings, in order, as a run records it.
    pub fn recorded(&self) -> Vec<RecordedCallback> {
        let decides = |resource: &Resource| {
            matches!(
                resource,
                Resource::LearningRate
                    | Resource::GroupLearningRate(_)
                    | Resource::Momentum
                    | Resource::Gradients
                    | Resource::Weights
                    | Resource::JudgedWeights
                    | Resource::Stop
            )
        };
        let entries = self.entries.iter();
        entries
            .map(|e| RecordedCallback {
                name: e.name.to_string(),
                recipe: e.callback.recipe(),
                decides: e.effects.writes.iter().any(decides),
            })
            .collect()
    }

    /// The state of every callback that has one, in order.
    ///
    /// # Errors
    /// A callback failed or panicked in [`save`](Callback::save).
    pub fn save(&self) -> Result<Vec<NamedState>, CallbackError> {
        let mut states = Vec::new();
        for entry in &self.entries {
            let state = entry.save()?;
            if state != CallbackState::empty() {
                states.push(NamedState { name: entry.name.to_string(), state });
            }
        }
        Ok(states)
    }

    /// Takes back what [`save`](Self::save) returned. Callbacks without a state do not matter.
    ///
    /// # Errors
    /// The stack has other callbacks with a state than the one that was saved, a state does not fit,
    /// or a callback panicked.
    pub fn load(&mut self, states: &[NamedState]) -> Result<(), CallbackError> {
        self.load_but(states, &[])
    }

    /// The same where callbacks of these names may be there or not: a state of theirs that nobody
    /// takes is passed over, and without one they are as they were.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_but(&mut self, states: &[NamedState], free: &[&str]) -> Result<(), CallbackError> {
        let mismatch =
            |reason: String| CallbackError::State { callback: "stack".to_owned(), reason };
        // Older checkpoints name those without a state too.
        let saved: Vec<&NamedState> =
            states.iter().filter(|saved| saved.state != CallbackState::empty()).collect();
        let mut left: Vec<&NamedState> = saved;
        let (mut mine, mut new) = (Vec::new(), Vec::new());
        for entry in &mut self.entries {
            let state = entry.save()?;
            if state == CallbackState::empty() {
                continue;
            }
            // Of several that share a name, the order is what tells them apart.
            match left.iter().position(|saved| saved.name == entry.name) {
                Some(at) => mine.push((left.remove(at), entry)),
                None if free.contains(&&*entry.name) => {}
                None => new.push(entry.name.to_string()),
            }
        }
        // In older checkpoints stands a nothing where there is no state now.
        left.retain(|saved| {
            saved.state.as_bytes() != [NIL] && !free.contains(&saved.name.as_str())
        });
        let missing: Vec<&str> = left.iter().map(|saved| saved.name.as_str()).collect();
        let differ =
            [("saved and not here", missing.join(", ")), ("here and not saved", new.join(", "))];
        let differ: Vec<String> = differ
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {names}"))
            .collect();
        if !differ.is_empty() {
            return Err(mismatch(format!("the callbacks are others; {}", differ.join("; "))));
        }
        mine.into_iter().try_for_each(|(saved, Entry { name, callback, .. })| {
            let loaded = unwound("load", || callback.load(&saved.state));
            loaded.map_err(|error| named(error, || name.to_string()))
        })
    }
}

/// Tells all members of a moment, whatever becomes of those before; then the strongest wish or the
/// first error counts. Where things are put back, the last that has put something in their place
/// comes first.
pub(super) fn everyone<T>(
    members: &mut [T],
    moment: &mut Moment<'_, '_>,
    mut tell: impl FnMut(&mut T, &mut Moment<'_, '_>) -> Reply,
) -> Reply {
    let backwards = matches!(moment, Moment::ValidationEnd(_));
    let mut flow = Flow::Continue;
    let mut error = None;
    let hear = |member: &mut T| match tell(member, moment) {
        // Nearly always, in every step.
        Ok(Flow::Continue) => {}
        Ok(wish) => flow = std::mem::take(&mut flow).or_stronger(wish),
        Err(e) => {
            error.get_or_insert(e);
        }
    };
    if backwards {
        members.iter_mut().rev().for_each(hear);
    } else {
        members.iter_mut().for_each(hear);
    }
    error.map_or(Ok(flow), Err)
}

/// Runs a method of a callback, and turns a panic into an error that has no name yet.
pub(super) fn unwound<R>(
    method: &'static str,
    f: impl FnOnce() -> Result<R, CallbackError>,
) -> Result<R, CallbackError> {
    // A callback that panicked may be half-way through a change of its own; no other can see that.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let (callback, message) = (String::new(), panic_message(&*panic));
        Err(CallbackError::Panicked { callback, moment: method, message })
    })
}

/// What was said with a panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

/// How a callback says that it produces this metric.
fn declaring(metric: &str) -> String {
    format!(
        "a callback that logs it has to say so: a closure by `.logs({metric:?})`, a struct by \
         `.writes(Resource::metric({metric:?}))` in its `effects`"
    )
}

/// Puts a callback's name into a stop or an error that has none yet.
pub(super) fn attribute(reply: Reply, name: impl FnOnce() -> String) -> Reply {
    match reply {
        Ok(Flow::Continue) => Ok(Flow::Continue),
        Ok(Flow::Stop(mut reason)) if reason.by.is_empty() => {
            reason.by = name();
            Ok(Flow::Stop(reason))
        }
        Err(error) => Err(named(error, name)),
        flow => flow,
    }
}

/// Puts a callback's name into an error that has none yet.
fn named(error: CallbackError, name: impl FnOnce() -> String) -> CallbackError {
    match error {
        CallbackError::Custom(reason) => CallbackError::Failed { callback: name(), reason },
        CallbackError::Panicked { callback, moment, message } if callback.is_empty() => {
            CallbackError::Panicked { callback: name(), moment, message }
        }
        error => error,
    }
}

/// A callback's state under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedState {
    /// The callback's name.
    pub name: String,
    /// Its state.
    pub state: CallbackState,
}

/// The resolved order of a stack, as it is shown and stored.
#[derive(Clone, PartialEq)]
pub struct Plan(Vec<PlannedCallback>);

impl Plan {
    /// The callbacks in the order in which they are called.
    pub fn callbacks(&self) -> &[PlannedCallback] {
        &self.0
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in &self.0 {
            write!(f, "{:<10} {:<18}", c.phase, c.name)?;
            if !c.reads.is_empty() {
                write!(f, " reads {}", c.reads.join(", "))?;
            }
            if !c.writes.is_empty() {
                write!(f, " writes {}", c.writes.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The same: it is what a notebook shows of a value that is lent.
impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[path = "stack_tests.rs"]
mod tests;
