//! A fit's run in the store: its beginning, its checkpoints, its end.

use std::borrow::Cow;

use trainbook_callbacks::{CheckpointRequest, StopKind, StopReason};
use trainbook_store::{EndState, Environment, Parent, RunEnd, RunStart, RunWriter, Value};

use super::Trainer;
use super::checkpoint::{Checkpoint, CheckpointWriter, FINAL, Origin, Written};
use super::interrupt::Seldom;
use super::length::Length;
use super::record::{Begins, RunRecipe};
use super::unwound::unwound;
use super::voice::Voice;
use crate::Error;
use crate::task::Recipe;

/// A run that is being recorded.
pub(super) struct Recording {
    pub writer: RunWriter,
    /// The fingerprint of the data.
    data: String,
    /// Everything that decides the fit, as the run records it.
    recipe: Option<String>,
    /// `None` until there is a checkpoint to write.
    checkpoints: Option<CheckpointWriter>,
    /// When to look whether somebody has asked for the fit to stop.
    look: Seldom,
    voice: Voice,
}

impl Recording {
    /// Whether somebody has asked, through the store, for the fit to stop.
    pub fn is_asked_to_stop(&self) -> bool {
        self.look.is_time() && self.writer.is_asked_to_stop()
    }

    /// Has a checkpoint written.
    ///
    /// # Errors
    /// The system gives no thread for it.
    pub fn write(
        &mut self,
        mut checkpoint: Checkpoint,
        request: CheckpointRequest,
    ) -> Result<(), Error> {
        checkpoint.rest.recipe = self.recipe.clone();
        checkpoint.rest.data = Some(self.data.clone());
        let checkpoints = match &mut self.checkpoints {
            Some(checkpoints) => checkpoints,
            none => none.insert(CheckpointWriter::new(&self.writer, self.voice.clone())?),
        };
        checkpoints.write(checkpoint, request);
        Ok(())
    }

    /// The checkpoints that are on disk since the last call; waits for `all` if that is wanted.
    pub fn written(&mut self, all: bool) -> Vec<Written> {
        self.checkpoints.as_mut().map_or_else(Vec::new, |writer| writer.written(all))
    }
}

impl Trainer {
    /// Begins a run, if there is a store. `resumed` is the checkpoint from which the fit goes on, if
    /// it does.
    pub(super) fn start_recording(
        &mut self,
        length: Length,
        resumed: Option<&[u8]>,
    ) -> Result<Option<Recording>, Error> {
        let Some(store) = self.store.clone() else { return Ok(None) };
        let begin = match resumed {
            Some(bytes) => Some(Cow::Borrowed(bytes)),
            None => self.begin_in(&store)?.map(Cow::Owned),
        };
        if let (Some(origin), Some(bytes)) = (&mut self.origin, &begin) {
            origin.checkpoint = Some(store.put_object(bytes)?);
        }
        let mut params = self.params.clone();
        let (name, value) = match length {
            Length::Epochs(epochs) => ("epochs", epochs),
            Length::Steps(steps) => ("steps", steps),
        };
        params.insert(name.into(), Value::from(value));
        let origin = self.origin.as_ref();
        let begins = Begins {
            updates: self.counters.updates_applied,
            batches: self.counters.batches_seen,
            epochs: self.counters.epoch,
            state: self.task.state()?.hash().to_hex().to_string(),
            checkpoint: origin.and_then(|origin| Some(origin.checkpoint?.to_string())),
        };
        let recipe = self.run_recipe(length, Some(begins));
        let data = self.data.fingerprint()?;
        let hash = data.hash.clone();
        let writer = store.start_run(RunStart {
            name: self.name.clone(),
            params,
            tags: self.tags.clone(),
            seed: self.recipe.seed.0,
            model: self.model.clone(),
            data,
            plan: self.plan.callbacks().to_vec(),
            recipe: recipe.clone(),
            parent: origin.and_then(|origin| origin.parent.clone()),
            environment: environment(),
        })?;
        if let Some(bytes) = begin {
            // Should somebody have collected it meanwhile. From now on the run refers to it.
            store.put_object(&bytes)?;
        }
        let (look, voice) = (Seldom::new(), self.voice.clone());
        Ok(Some(Recording { writer, data: hash, recipe, checkpoints: None, look, voice }))
    }

    /// The state in which the next fit begins, if it is not the seed's, without which nobody could say
    /// where that was.
    fn begin_in(&self, store: &trainbook_store::Store) -> Result<Option<Vec<u8>>, Error> {
        let Some(origin) = &self.origin else { return Ok(None) };
        let kept = origin.checkpoint.and_then(|object| store.get_object(&object).ok());
        kept.map_or_else(|| self.taken(None)?.encode(), Ok).map(Some)
    }

    /// Writes the weights that the fit ends with, waits for all checkpoints, and ends the run.
    pub(super) fn finish_recording(
        &mut self,
        mut record: Recording,
        mut outcome: Result<StopReason, Error>,
        epochs: u64,
    ) -> Result<StopReason, Error> {
        // Whoever looks at the run later gets the network back, whatever program made it.
        let id = record.writer.id().clone();
        let written = unwound(|| {
            let request = CheckpointRequest::new(FINAL);
            record.write(self.taken(None)?, request)
        });
        let last = record.checkpoints.take().and_then(CheckpointWriter::finish);
        // The next fit goes on from here, and says so.
        let step = self.counters.batches_seen;
        let parent = Some(Parent { run: id, step, resumed: false });
        self.origin = Some(Origin { parent, checkpoint: last.filter(|_| written.is_ok()) });
        if let Err(error) = written {
            outcome = outcome.and(Err(error));
        }
        let end = RunEnd::new(end_state(&outcome), self.counters.updates_applied, epochs);
        if let Err(error) = record.writer.finish(end) {
            self.voice.warn(&super::run::not_recorded(&error));
        }
        outcome
    }

    /// What decides a fit, as JSON. A network with a layer that cannot be written is recorded
    /// without it.
    pub(super) fn run_recipe(&self, length: Length, begins: Option<Begins>) -> Option<String> {
        let Recipe {
            network,
            input,
            device,
            loss,
            optimizer,
            groups,
            init,
            seed,
            precision,
            loss_scale,
            checkpoint_activations,
            shortest: _, // follows from the feed and the data
        } = self.recipe.clone();
        let (learning_rate, accumulate) = (self.base_rate, self.accumulate);
        let data = self.data.recipe();
        let callbacks = self.stack.recorded();
        let callbacks = callbacks.into_iter().filter(|c| c.recipe.is_some() || c.decides).collect();
        serde_json::to_string(&RunRecipe {
            network,
            input,
            loss,
            metrics: Some(self.metrics.clone()),
            optimizer,
            groups,
            init,
            seed,
            device,
            precision,
            loss_scale,
            checkpoint_activations,
            learning_rate,
            feed: self.feed.clone(),
            accumulate,
            validate_every: self.validate_every,
            train_metrics: self.train_metrics,
            length,
            data,
            callbacks: Some(callbacks),
            begins,
        })
        .ok()
    }
}

fn end_state(outcome: &Result<StopReason, Error>) -> EndState {
    match outcome {
        Ok(reason) if reason.kind == StopKind::Completed => EndState::Finished,
        Ok(reason) => EndState::Stopped { reason: reason.to_string() },
        Err(error) => EndState::Failed { error: error.to_string() },
    }
}

/// The circumstances of a run, for its record.
pub(crate) fn environment() -> Environment {
    Environment { features: features(), ..Environment::capture() }
}

/// The optional parts that this library was built with.
fn features() -> Vec<String> {
    [("ci-check", cfg!(feature = "ci-check")), ("cuda", cfg!(feature = "cuda"))]
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| name.to_owned())
        .collect()
}
