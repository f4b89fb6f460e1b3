//! Going on with a fit that was interrupted.

use std::collections::HashSet;

use serde_json::Value as Json;
use trainbook_callbacks::StopKind;
use trainbook_store::{ObjectId, Parent, RunId, RunState};

use super::checkpoint::{Checkpoint, FINAL, FREE, Origin, expect_tensors};
use super::{FeedStreams, Length, Run, Trainer, TrainerBuilder};
use crate::Error;
use crate::data::Dataset;
use crate::history::{Store, StoredRun};
use crate::nn::layer::Kinds;
use crate::random::Seed;

/// Stops that are ends of their own; the reason in a record begins with their name.
const ENDS: [StopKind; 2] = [StopKind::EarlyStopping, StopKind::NonFinite];

/// How many differences an error names.
const NAMED: usize = 3;

impl Trainer {
    /// Goes on with the fit of a run that was stopped, failed or crashed, from its newest
    /// checkpoint, as if it had never been interrupted: weights and metrics at the end are the same
    /// to the last bit. It is a run of its own, which names the other as its parent.
    ///
    /// A run that was stopped has a checkpoint of where it was; of one that broke there is what
    /// [`Checkpoint`](crate::callbacks::Checkpoint) has kept.
    ///
    /// # Errors
    /// The run has finished, is still being recorded, or has no checkpoint; data, settings,
    /// network or callbacks are others than this trainer's, which is then as it was. Later, those
    /// of [`fit`](Self::fit).
    pub fn resume(&mut self, run: &StoredRun) -> Result<Run, Error> {
        self.go_on(&run.interrupted()?, Some(run.summary.id.clone()))
    }

    /// Goes on with the newest run of the trainer's store that was interrupted and that this
    /// trainer can [resume](Self::resume). A run that early stopping or a number that is not finite
    /// has ended was not interrupted, and none is looked for behind a run of the same settings that
    /// has finished since.
    ///
    /// # Errors
    /// The trainer has no store, or there is no such run. Later, those of [`fit`](Self::fit).
    pub fn resume_last(&mut self) -> Result<Run, Error> {
        let Some(store) = self.store.clone() else {
            return Err(Error::State("the trainer has no store to find a run in".to_owned()));
        };
        let store = Store::from(store);
        let mut went_on = HashSet::new();
        let mut why = None;
        for summary in store.runs()?.iter() {
            if let Some(Parent { run, resumed: true, .. }) = &summary.parent {
                went_on.insert(run.clone());
            }
            if summary.model != self.model || went_on.contains(&summary.id) {
                continue;
            }
            let run = store.run(summary.id.as_str())?;
            match &summary.state {
                RunState::Running => continue,
                // What is older was begun anew since, and came to its end.
                RunState::Finished if self.expect_recipe(run.recipe.as_deref()).is_ok() => break,
                RunState::Finished => continue,
                RunState::Stopped { reason }
                    if ENDS.iter().any(|end| reason.starts_with(end.as_str())) =>
                {
                    continue;
                }
                _ => {}
            }
            let fits = run.interrupted().and_then(|bytes| {
                self.expect_same(&Checkpoint::decode(&bytes)?)?;
                Ok(bytes)
            });
            match fits {
                Ok(bytes) => return self.go_on(&bytes, Some(summary.id.clone())),
                Err(error) => {
                    why.get_or_insert(format!("; run {} does not fit: {error}", run.summary.id));
                }
            }
        }
        Err(Error::State(format!(
            "no run of the store was interrupted that this trainer could go on with{}",
            why.unwrap_or_default()
        )))
    }

    /// The same from the bytes of a checkpoint that was taken in the middle of a fit, or when it was
    /// stopped. Of which run, they do not say, so that the new one names no parent.
    ///
    /// # Errors
    /// As [`resume`](Self::resume); or the checkpoint was taken between two fits.
    pub fn resume_from(&mut self, bytes: &[u8]) -> Result<Run, Error> {
        self.go_on(bytes, None)
    }

    fn go_on(&mut self, bytes: &[u8], run: Option<RunId>) -> Result<Run, Error> {
        let saved = Checkpoint::decode(bytes)?;
        let Some(fit) = saved.rest.fit.clone() else {
            return Err(Error::State(
                "it was taken between two fits, so that there is none to go on with; load it by \
                 load_checkpoint, and fit"
                    .to_owned(),
            ));
        };
        self.expect_same(&saved)?;
        let (loader, record) = self.or_as_before(|trainer| {
            trainer.adopt(saved.rest.seed)?;
            trainer.take_over(&saved)?;
            let seed = trainer.seed();
            let loader = trainer.feed.batches(&trainer.data, seed, FeedStreams::TRAINING)?;
            let (then, now) = (fit.horizon.batches_per_epoch, loader.batches_per_epoch() as u64);
            if then != now {
                return Err(Error::State(format!(
                    "its epochs have {then} batches, and this trainer's {now}: data or feed are \
                     others"
                )));
            }
            let step = saved.rest.counters.batches_seen;
            let parent = run.map(|run| Parent { run, step, resumed: true });
            trainer.origin = Some(Origin { parent, checkpoint: Some(ObjectId::of(bytes)) });
            Ok((loader, trainer.start_recording(fit.length(), Some(bytes))?))
        })?;
        self.run(record, fit, loader, Some(&saved.rest.callbacks))
    }

    /// Takes this seed, where nobody has asked for the trainer's own.
    pub(super) fn adopt(&mut self, seed: Seed) -> Result<(), Error> {
        if self.seed_is_drawn && seed != self.recipe.seed {
            self.recipe.seed = seed;
            self.task = self.recipe.task()?;
        }
        Ok(())
    }

    /// Takes the state in which a run of this trainer, or of one that was built the same way, has
    /// ended: what is fitted next is a new fit, whose run names that one as its parent.
    ///
    /// # Errors
    /// The run has written no final state, or is of another trainer, which is then as it was.
    pub fn continue_from(&mut self, run: &StoredRun) -> Result<(), Error> {
        let bytes = run.final_state()?;
        self.load_checkpoint(&bytes)?;
        let (run, step) = (run.summary.id.clone(), self.counters.batches_seen);
        let parent = Some(Parent { run, step, resumed: false });
        self.origin = Some(Origin { parent, checkpoint: Some(ObjectId::of(&bytes)) });
        Ok(())
    }

    /// Whether what decides a fit is the same here: otherwise going on would come to something that
    /// no uninterrupted fit comes to.
    fn expect_same(&self, saved: &Checkpoint) -> Result<(), Error> {
        if let Some(tensors) = &saved.tensors {
            expect_tensors(tensors, self.task.model().tensors())?;
        }
        let saved = &saved.rest;
        if let Some(then) = &saved.data {
            let now = self.data.fingerprint()?.hash;
            if *then != now {
                let short = |hash: &str| hash.chars().take(12).collect::<String>();
                return Err(Error::State(format!(
                    "it was trained on other data: their fingerprint is {}…, and that of {} is {}…",
                    short(then),
                    self.data.source(),
                    short(&now)
                )));
            }
        }
        self.expect_recipe(saved.recipe.as_deref())
    }

    /// The same of what a run or a checkpoint says of its settings. A network with a layer that
    /// cannot be written leaves nothing to compare; its tensors are all the same.
    fn expect_recipe(&self, then: Option<&str>) -> Result<(), Error> {
        // How long a fit is to be is not the trainer's.
        let (Some(then), Some(now)) = (then, self.run_recipe(Length::Steps(0), None)) else {
            return Ok(());
        };
        let read = |text: &str| {
            serde_json::from_str::<Json>(text)
                .map_err(|e| Error::State(format!("its settings cannot be read: {e}")))
        };
        let (then, now) = (read(then)?, read(&now)?);
        let mut differ = Vec::new();
        for (name, then, now) in sides(&then, &now) {
            match name.as_str() {
                // Data are compared by their fingerprint, wherever they lie.
                "data" | "begins" | "length" => {}
                // No bit depends on it.
                "checkpoint_activations" => {}
                "seed" if self.seed_is_drawn => {}
                "callbacks" => differ.extend(callbacks(then, now)),
                _ => differences(&name, then, now, &mut differ),
            }
        }
        if differ.is_empty() {
            return Ok(());
        }
        let more = differ.len().saturating_sub(NAMED);
        differ.truncate(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Err(Error::State(format!(
            "it is of another trainer: {}{more}. Trainer::load_weights takes the weights alone",
            differ.join("; ")
        )))
    }
}

impl StoredRun {
    /// Goes on with the fit of this run where it was interrupted, without the program that made it,
    /// in the run's store: [`Trainer::resume`] by a trainer that is made from the record.
    ///
    /// # Errors
    /// As [`trainer`](Self::trainer) and [`Trainer::resume`].
    pub fn resume(&self) -> Result<Run, Error> {
        self.go_on(self.builder()?)
    }

    /// The same without showing progress.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_quietly(&self) -> Result<Run, Error> {
        self.go_on(self.builder()?.quiet())
    }

    /// The same on a data set that the program has, and for a network with layers of the program's
    /// own.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_on(&self, data: &Dataset, kinds: &Kinds) -> Result<Run, Error> {
        self.go_on(self.builder_on(data, kinds)?)
    }

    fn builder(&self) -> Result<TrainerBuilder, Error> {
        self.interrupted()?;
        let data = self.recipe()?.data.make()?;
        self.builder_on(&data, &Kinds::standard())
    }

    fn go_on(&self, builder: TrainerBuilder) -> Result<Run, Error> {
        builder.build()?.resume(self)
    }

    /// The checkpoint with which a resumed run began: where it is, if it was interrupted before it
    /// kept one of its own.
    fn begun(&self) -> Option<ObjectId> {
        self.summary.parent.as_ref().filter(|parent| parent.resumed)?;
        self.recipe().ok()?.begins?.checkpoint?.parse().ok()
    }

    /// The newest checkpoint from which the run's fit can go on.
    fn interrupted(&self) -> Result<Vec<u8>, Error> {
        let id = &self.summary.id;
        match &self.summary.state {
            RunState::Running => Err(Error::State(format!("run {id} is still being recorded"))),
            RunState::Finished => Err(Error::State(format!(
                "run {id} has finished, so that there is nothing to resume; to train its network \
                 further, let a trainer continue_from it, and fit"
            ))),
            _ => self
                .first_of(self.checkpoints(|label| label != FINAL).chain(self.begun()))?
                .ok_or_else(|| {
                    Error::State(format!(
                        "run {id} has no checkpoint to go on from; Checkpoint::last() or \
                     Checkpoint::every_steps(n) keeps some"
                    ))
                }),
        }
    }
}

/// The members of two objects by name.
fn sides<'a>(then: &'a Json, now: &'a Json) -> Vec<(String, &'a Json, &'a Json)> {
    static ABSENT: Json = Json::Null;
    let (Json::Object(then), Json::Object(now)) = (then, now) else { return Vec::new() };
    let new = now.keys().filter(|name| !then.contains_key(*name));
    let side =
        |side: &'a serde_json::Map<String, Json>, name: &str| side.get(name).unwrap_or(&ABSENT);
    then.keys().chain(new).map(|name| (name.clone(), side(then, name), side(now, name))).collect()
}

/// Where two values differ.
fn differences(path: &str, then: &Json, now: &Json, found: &mut Vec<String>) {
    if then == now {
        return;
    }
    let inside = sides(then, now);
    if inside.is_empty() {
        found.push(format!("{path} was {then}, and is {now} here"));
    }
    for (name, then, now) in inside {
        differences(&format!("{path}.{name}"), then, now, found);
    }
}

/// Where two lists of recorded callbacks differ: first those that are missing on one side.
fn callbacks(then: &Json, now: &Json) -> Vec<String> {
    let list = |side: &Json| side.as_array().cloned().unwrap_or_default();
    let name = |callback: &Json| callback["name"].as_str().unwrap_or_default().to_owned();
    let (then, mut now) = (list(then), list(now));
    let mut found = Vec::new();
    for callback in &then {
        match now.iter().position(|other| name(other) == name(callback)) {
            Some(at) => {
                let (name, other) = (name(callback), now.remove(at));
                if !FREE.contains(&name.as_str()) {
                    differences(&name, &callback["recipe"], &other["recipe"], &mut found);
                }
            }
            None if FREE.contains(&name(callback).as_str()) => {}
            None => found.insert(0, format!("callback {} is missing here", name(callback))),
        }
    }
    let new = now.iter().map(name).filter(|name| !FREE.contains(&name.as_str()));
    found.extend(new.map(|name| format!("callback {name} is new here")));
    found
}
