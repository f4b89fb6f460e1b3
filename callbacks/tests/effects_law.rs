//! The law of effects, for every callback there is: what it does it declares, and what it declares
//! it does, in one of the fits here.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

#[path = "support/shipped.rs"]
mod shipped;
mod support;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use shipped::{CALLBACKS, EPOCHS, Make, fake, fake_of};
use support::Fake;
use trainbook_callbacks::{
    AfterUpdate, Callback, CallbackError, CallbackState, Effects, EpochEnd, FitEnd, Flow,
    GradientEdit, GradientView, Gradients, MetricLog, Moment, Reply, Resource, Setup, Snapshot,
    StepEnd, TensorInfo, TensorStats, Validated, ValidationEnd, ValidationStart, Weights,
};
use trainbook_store::{RunStart, Store};

/// Something that a callback was seen to do.
#[derive(Clone, Debug, PartialEq)]
enum Deed {
    Reads(Resource),
    Writes(Resource),
    /// At the begin or the end of an epoch.
    Logs(String),
    LogsInStep(String),
    /// Puts weights in place at the end of the fit.
    EndsWithWeights,
    /// Asks for a checkpoint, or writes into the run.
    UsesStore,
}

#[derive(Clone, Default)]
struct Deeds(Arc<Mutex<Vec<Deed>>>);

impl Deeds {
    fn add(&self, deed: Deed) {
        let mut deeds = self.0.lock().unwrap();
        if !deeds.contains(&deed) {
            deeds.push(deed);
        }
    }

    fn reads(&self, resource: Resource) {
        self.add(Deed::Reads(resource));
    }

    fn writes(&self, resource: Resource) {
        self.add(Deed::Writes(resource));
    }
}

/// Passes every moment on, in contexts that write down what is done with them.
struct Watch {
    callback: Box<dyn Callback>,
    deeds: Deeds,
}

impl Callback for Watch {
    fn name(&self) -> Cow<'static, str> {
        self.callback.name()
    }

    fn effects(&self) -> Effects {
        self.callback.effects()
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        self.callback.save()
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.callback.load(state)
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let log = log_of(moment);
        let logged = log.map_or(0, |log| log.read(<[_]>::len));
        let deed = if Moment::logs_in_steps(moment.name()) { Deed::LogsInStep } else { Deed::Logs };
        let reply = self.watched(moment);
        if let Some(log) = log {
            let new = |log: &[trainbook_store::Metric]| log[logged..].to_vec();
            log.read(new).into_iter().for_each(|m| self.deeds.add(deed(m.name.to_string())));
        }
        if reply.as_ref().is_ok_and(|flow| *flow != Flow::Continue) {
            self.deeds.writes(Resource::Stop);
        }
        reply
    }
}

fn log_of<'c>(moment: &Moment<'_, 'c>) -> Option<&'c MetricLog> {
    match moment {
        Moment::EpochStart(m) => Some(m.log),
        Moment::BatchStart(m) => Some(m.log),
        Moment::RawGradients(m) | Moment::FinalGradients(m) => Some(m.log),
        Moment::ChangeGradients(m) => Some(m.log),
        Moment::AfterUpdate(m) => Some(m.log),
        Moment::StepEnd(m) => Some(m.log),
        Moment::Validated(m) => Some(m.log),
        Moment::EpochEnd(m) => Some(m.log),
        Moment::Setup(_)
        | Moment::FitStart(_)
        | Moment::ValidationStart(_)
        | Moment::ValidationEnd(_)
        | Moment::CheckpointWritten(_)
        | Moment::FitEnd(_) => None,
    }
}

impl Watch {
    fn watched(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let Self { callback, deeds } = self;
        let requests = RefCell::default();
        match moment {
            Moment::Setup(m) => {
                let before = m.seed();
                let reply = callback.on(&mut Moment::Setup(m));
                if m.seed() != before {
                    deeds.writes(Resource::Seed);
                }
                reply
            }
            Moment::FitStart(_) | Moment::EpochStart(_) | Moment::CheckpointWritten(_) => {
                callback.on(moment)
            }
            Moment::BatchStart(m) => {
                let before = m.settings().clone();
                let reply = callback.on(&mut Moment::BatchStart(m));
                let after = m.settings();
                if after.learning_rate.to_bits() != before.learning_rate.to_bits() {
                    deeds.writes(Resource::LearningRate);
                }
                if after.momentum != before.momentum {
                    deeds.writes(Resource::Momentum);
                }
                for (group, rate) in &after.group_rates {
                    if !before.group_rates.contains(&(group.clone(), *rate)) {
                        deeds.writes(Resource::GroupLearningRate(group.clone()));
                    }
                }
                reply
            }
            Moment::RawGradients(m) => {
                let (gradients, weights) =
                    (Looked { of: m.gradients, deeds }, Seen { of: m.weights, deeds });
                let view = GradientView { gradients: &gradients, weights: &weights, ..**m };
                callback.on(&mut Moment::RawGradients(&view))
            }
            Moment::FinalGradients(m) => {
                let (gradients, weights) =
                    (Looked { of: m.gradients, deeds }, Seen { of: m.weights, deeds });
                let view = GradientView { gradients: &gradients, weights: &weights, ..**m };
                callback.on(&mut Moment::FinalGradients(&view))
            }
            Moment::ChangeGradients(m) => {
                let (counters, log) = (m.counters, m.log);
                let mut gradients = Changed { of: &mut *m.gradients, deeds };
                let mut edit = GradientEdit { counters, gradients: &mut gradients, log };
                callback.on(&mut Moment::ChangeGradients(&mut edit))
            }
            Moment::AfterUpdate(m) => {
                let weights = Seen { of: m.weights, deeds };
                callback.on(&mut Moment::AfterUpdate(&AfterUpdate { weights: &weights, ..**m }))
            }
            Moment::StepEnd(m) => {
                let (loss, rate) = (m.loss(), m.learning_rate);
                let (counters, horizon) = (m.counters, m.horizon);
                let step = StepEnd::new(
                    counters, horizon, rate, m.applied, m.samples, m.log, loss, &requests,
                )
                .scaled(m.scale);
                let reply = callback.on(&mut Moment::StepEnd(&step));
                for request in requests.take() {
                    deeds.add(Deed::UsesStore);
                    m.request_checkpoint(request);
                }
                reply
            }
            Moment::ValidationStart(m) => {
                let counters = m.counters;
                let writes = Deed::Writes(Resource::JudgedWeights);
                let mut weights = Replaced { of: &mut *m.weights, deeds, writes: Some(writes) };
                let ends_epoch = m.ends_epoch;
                let mut start = ValidationStart { counters, ends_epoch, weights: &mut weights };
                callback.on(&mut Moment::ValidationStart(&mut start))
            }
            Moment::ValidationEnd(m) => {
                let counters = m.counters;
                // Putting them back is no change.
                let mut weights = Replaced { of: &mut *m.weights, deeds, writes: None };
                let mut end = ValidationEnd { counters, weights: &mut weights };
                callback.on(&mut Moment::ValidationEnd(&mut end))
            }
            Moment::Validated(m) => {
                let weights = Seen { of: m.weights, deeds };
                let (counters, horizon) = (m.counters, m.horizon);
                let validated = Validated::new(
                    counters,
                    horizon,
                    m.metrics,
                    &weights,
                    m.predictions,
                    m.log,
                    &requests,
                );
                let reply = callback.on(&mut Moment::Validated(&validated));
                for request in requests.take() {
                    deeds.add(Deed::UsesStore);
                    m.request_checkpoint(request);
                }
                reply
            }
            Moment::EpochEnd(m) => {
                let weights = Seen { of: m.weights, deeds };
                let (counters, horizon) = (m.counters, m.horizon);
                let epoch = EpochEnd::new(
                    counters,
                    horizon,
                    m.seconds,
                    m.metrics,
                    &weights,
                    m.predictions,
                    m.log,
                    &requests,
                );
                let reply = callback.on(&mut Moment::EpochEnd(&epoch));
                for request in requests.take() {
                    deeds.add(Deed::UsesStore);
                    m.request_checkpoint(request);
                }
                reply
            }
            Moment::FitEnd(m) => {
                let (counters, reason, error) = (m.counters, m.reason, m.error);
                let mut weights = Last { of: m, deeds };
                let mut end = FitEnd::new(counters, reason, error, &mut weights);
                callback.on(&mut Moment::FitEnd(&mut end))
            }
        }
    }
}

/// What is there to look at, whether gradients may be changed or not.
macro_rules! looked_at {
    () => {
        fn tensors(&self) -> &[TensorInfo] {
            self.of.tensors()
        }

        fn global_norm(&self) -> Result<f64, CallbackError> {
            self.deeds.reads(Resource::Gradients);
            self.of.global_norm()
        }

        fn stats(&self) -> Result<Vec<TensorStats>, CallbackError> {
            self.deeds.reads(Resource::Gradients);
            self.of.stats()
        }
    };
}

/// Gradients to look at.
struct Looked<'w, 'g> {
    of: &'w (dyn Gradients + 'g),
    deeds: &'w Deeds,
}

impl Gradients for Looked<'_, '_> {
    looked_at!();

    fn scale(&mut self, _: f32) -> Result<(), CallbackError> {
        unreachable!("lent to look at")
    }

    fn clamp(&mut self, _: f32) -> Result<(), CallbackError> {
        unreachable!("lent to look at")
    }

    fn edit(&mut self, _: &mut dyn FnMut(&TensorInfo, &mut [f32])) -> Result<(), CallbackError> {
        unreachable!("lent to look at")
    }
}

/// Gradients to change.
struct Changed<'w, 'g> {
    of: &'w mut (dyn Gradients + 'g),
    deeds: &'w Deeds,
}

impl Gradients for Changed<'_, '_> {
    looked_at!();

    fn scale(&mut self, factor: f32) -> Result<(), CallbackError> {
        self.deeds.writes(Resource::Gradients);
        self.of.scale(factor)
    }

    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError> {
        self.deeds.writes(Resource::Gradients);
        self.of.clamp(limit)
    }

    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.deeds.writes(Resource::Gradients);
        self.of.edit(change)
    }
}

/// Weights to look at.
struct Seen<'w, 'g> {
    of: &'w (dyn Weights + 'g),
    deeds: &'w Deeds,
}

impl Weights for Seen<'_, '_> {
    fn tensor_infos(&self) -> &[TensorInfo] {
        self.of.tensor_infos()
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        self.deeds.reads(Resource::Weights);
        self.of.snapshot()
    }

    fn restore(&mut self, _: &Snapshot) -> Result<(), CallbackError> {
        unreachable!("lent to look at")
    }
}

/// Weights for which others may be put in place.
struct Replaced<'w, 'g> {
    of: &'w mut (dyn Weights + 'g),
    deeds: &'w Deeds,
    writes: Option<Deed>,
}

impl Weights for Replaced<'_, '_> {
    fn tensor_infos(&self) -> &[TensorInfo] {
        self.of.tensor_infos()
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        self.deeds.reads(Resource::Weights);
        self.of.snapshot()
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.writes.iter().for_each(|deed| self.deeds.add(deed.clone()));
        self.of.restore(snapshot)
    }
}

/// The weights at the end of a fit.
struct Last<'w, 'm, 'c> {
    of: &'w mut &'m mut FitEnd<'c>,
    deeds: &'w Deeds,
}

impl Weights for Last<'_, '_, '_> {
    fn tensor_infos(&self) -> &[TensorInfo] {
        unreachable!("the end of a fit does not lend the weights")
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        unreachable!("the end of a fit does not lend the weights")
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.deeds.add(Deed::EndsWithWeights);
        self.of.restore(snapshot)
    }
}

/// What happens in a fit, beside the callback.
const FLOWS: [fn(&mut Fake); 3] = [
    // A bit of everything.
    |_| {},
    // No improvement.
    |fake| fake.metrics = Box::new(|_| vec![("train_loss", 1.0), ("val_loss", 1.0)]),
    // NaN to the end.
    |fake| {
        fake.gradients = Box::new(|step| {
            let first = if step < 6 { step as f32 } else { f32::NAN };
            vec![vec![first], vec![0.0, 1.0]]
        });
    },
];

/// A fit of twice as many epochs as usual, and one that follows on it.
fn fit(fake: &mut Fake) {
    let usual = std::mem::replace(&mut fake.metrics, Box::new(|_| Vec::new()));
    fake.metrics = Box::new(move |epoch| usual(epoch.min(EPOCHS - 1)));
    fake.stack.on(&mut Moment::Setup(&mut Setup::default())).unwrap();
    fake.fit(2 * EPOCHS);
    fake.fit(1);
}

/// What a callback does, watched in all of the fits.
fn deeds(make: Make, store: &Store) -> Vec<Deed> {
    let deeds = Deeds::default();
    for flow in FLOWS {
        let mut fake = fake_of(Watch { callback: make(), deeds: deeds.clone() });
        flow(&mut fake);
        fit(&mut fake);
        for metric in metrics_read(make, flow) {
            deeds.reads(Resource::metric(metric));
        }
    }
    let mut recorded = fake(make);
    recorded.run = Some(store.start_run(RunStart::default()).unwrap());
    recorded.fit(1);
    let run = recorded.run.take().unwrap();
    run.flush().unwrap();
    let id = run.id().to_string();
    drop((run, recorded));
    if !store.run(&id).unwrap().series.is_empty() {
        deeds.add(Deed::UsesStore);
    }
    deeds.0.lock().unwrap().clone()
}

/// The trainer's metrics without which, or with other values of which, something else happens.
fn metrics_read(make: Make, flow: fn(&mut Fake)) -> Vec<&'static str> {
    let outcome = |change: fn(&mut Vec<(&'static str, f64)>, &str), of: &'static str| {
        let mut fake = fake(make);
        flow(&mut fake);
        let before = std::mem::replace(&mut fake.metrics, Box::new(|_| Vec::new()));
        fake.metrics = Box::new(move |epoch| {
            let mut metrics = before(epoch);
            change(&mut metrics, of);
            metrics
        });
        fit(&mut fake);
        let states = fake.stack.save().unwrap();
        format!("{:?} {:?} {states:?}", fake.seen, fake.weights) // as text, since NaN is not NaN
    };
    let known: Vec<_> = (fake(make).metrics)(0).into_iter().map(|(name, _)| name).collect();
    let reads = |name: &&'static str| {
        let usual = outcome(|_, _| {}, name);
        usual != outcome(|metrics, of| metrics.retain(|(name, _)| *name != of), name)
            || usual
                != outcome(
                    |metrics, of| {
                        let mut same = metrics.iter_mut().filter(|(name, _)| *name == of);
                        same.by_ref().for_each(|(_, value)| *value = 1.0 - *value);
                    },
                    name,
                )
    };
    known.into_iter().filter(reads).collect()
}

/// Where what is declared and what is done differ.
fn differences(declared: &Effects, done: &[Deed]) -> Vec<String> {
    let Effects { reads, writes, needs_store, .. } = declared;
    let is_declared = |deed: &&Deed| match deed {
        // Whoever writes a resource may read it.
        Deed::Reads(resource) => reads.contains(resource) || writes.contains(resource),
        Deed::Writes(resource) => writes.contains(resource),
        Deed::Logs(name) => writes.iter().any(|r| !r.is_of_steps() && r.produces(name)),
        Deed::LogsInStep(name) => writes.iter().any(|r| r.is_of_steps() && r.produces(name)),
        Deed::EndsWithWeights => {
            writes.contains(&Resource::Weights) || writes.contains(&Resource::JudgedWeights)
        }
        Deed::UsesStore => *needs_store,
    };
    let is_written = |resource: &&Resource| {
        done.iter().any(|deed| match deed {
            Deed::Writes(written) => written == *resource,
            Deed::Logs(name) => !resource.is_of_steps() && resource.produces(name),
            Deed::LogsInStep(name) => resource.is_of_steps() && resource.produces(name),
            Deed::EndsWithWeights => **resource == Resource::Weights,
            Deed::Reads(_) | Deed::UsesStore => false,
        })
    };
    let is_read = |resource: &&Resource| done.contains(&Deed::Reads((*resource).clone()));
    let undeclared = done.iter().filter(|deed| !is_declared(deed));
    let unwritten = writes.iter().filter(|resource| !is_written(resource));
    let unread = reads.iter().filter(|resource| !is_read(resource));
    undeclared
        .map(|deed| format!("{deed:?} is done and not declared"))
        .chain(unwritten.map(|resource| format!("{resource} is declared and never written")))
        .chain(unread.map(|resource| format!("{resource} is declared and never read")))
        .chain(
            (*needs_store && !done.contains(&Deed::UsesStore))
                .then(|| "a store is asked for and never used".to_owned()),
        )
        .collect()
}

/// Effects that differ from these in one thing, and by which.
fn altered(effects: &Effects) -> Vec<(String, Effects)> {
    let mut all = Vec::new();
    for at in 0..effects.reads.len() {
        let mut less = effects.clone();
        all.push((format!("without reading {}", less.reads.remove(at)), less));
    }
    for at in 0..effects.writes.len() {
        let mut less = effects.clone();
        all.push((format!("without writing {}", less.writes.remove(at)), less));
    }
    for at in 0..effects.writes.len() {
        let mut other = effects.clone();
        let moved = match &other.writes[at] {
            Resource::Metric(name) => Resource::StepMetric(name.clone()),
            Resource::StepMetric(name) => Resource::Metric(name.clone()),
            Resource::MetricsUnder(name) => Resource::StepMetricsUnder(name.clone()),
            Resource::StepMetricsUnder(name) => Resource::MetricsUnder(name.clone()),
            _ => continue,
        };
        let how = format!("with {moved} in steps: {}", moved.is_of_steps());
        other.writes[at] = moved;
        all.push((how, other));
    }
    let others = [
        Resource::Seed,
        Resource::LearningRate,
        Resource::Gradients,
        Resource::Weights,
        Resource::JudgedWeights,
        Resource::Stop,
        Resource::metric("val_loss"),
        Resource::metric("another"),
        Resource::metrics_under("gradient"),
        Resource::step_metric("another"),
    ];
    for other in others {
        // The weights that are judged are also those that the fit ends with.
        let known = other == Resource::Weights && effects.writes.contains(&Resource::JudgedWeights);
        if !known && !effects.writes.contains(&other) {
            all.push((format!("writing {other} too"), effects.clone().writes(other.clone())));
        }
        let touched = effects.reads.contains(&other) || effects.writes.contains(&other);
        if !touched {
            all.push((format!("reading {other} too"), effects.clone().reads(other)));
        }
    }
    let needs_store = !effects.needs_store;
    all.push((
        "with the store the other way".to_owned(),
        Effects { needs_store, ..effects.clone() },
    ));
    all
}

#[test]
fn what_a_callback_does_it_declares_and_what_it_declares_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for (name, make) in CALLBACKS {
        let (declared, done) = (make().effects(), deeds(*make, &store));
        assert_eq!(differences(&declared, &done), [""; 0], "{name}");
        // Had it declared anything else, that would have been seen.
        let nothing = Effects::in_phase(declared.phase);
        if declared != nothing {
            assert_ne!(differences(&nothing, &done), [""; 0], "{name} without effects");
        }
        for (how, effects) in altered(&declared) {
            assert_ne!(differences(&effects, &done), [""; 0], "{name} {how}");
        }
    }
}
