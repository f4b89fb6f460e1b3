//! Writing down everything that decides how training goes on.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::seam::NamedState;
use trainbook_callbacks::{CheckpointRequest, Counters};
use trainbook_store::{RunEvent, RunWriter};

use super::Trainer;
use crate::Error;
use crate::random::Seed;
use crate::task::TaskState;

/// What a checkpoint holds, in MessagePack with named fields; the BLAKE3 hash of that comes behind
/// it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    model: String,
    seed: Seed,
    learning_rate: f64,
    /// epoch, batches seen, updates attempted, updates applied
    counters: [u64; 4],
    callbacks: Vec<NamedState>,
    pub(super) task: TaskState,
}

/// The label of what is written when a fit has ended, with the weights as they then are.
pub(super) const FINAL: &str = "final";

impl Checkpoint {
    /// # Errors
    /// The bytes are damaged, or no checkpoint.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (content, hash) = bytes
            .split_last_chunk::<{ blake3::OUT_LEN }>()
            .ok_or_else(|| Error::State("it is too short for a checkpoint".to_owned()))?;
        if blake3::hash(content) != *hash {
            return Err(Error::State(
                "it is damaged, or not a checkpoint: its hash is not that of its content"
                    .to_owned(),
            ));
        }
        rmp_serde::from_slice(content)
            .map_err(|e| Error::State(format!("it is not a checkpoint: {e}")))
    }
}

impl Trainer {
    /// The whole state as bytes, which [`load_checkpoint`](Self::load_checkpoint) takes back.
    pub fn checkpoint(&self) -> Result<Vec<u8>, Error> {
        let c = self.counters;
        let checkpoint = Checkpoint {
            model: self.model.clone(),
            seed: self.recipe.seed,
            learning_rate: self.learning_rate,
            counters: [c.epoch, c.batches_seen, c.updates_attempted, c.updates_applied],
            callbacks: self.stack.save()?,
            task: self.task.state()?,
        };
        let mut bytes = rmp_serde::to_vec_named(&checkpoint)
            .map_err(|e| Error::State(format!("it cannot be encoded: {e}")))?;
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        Ok(bytes)
    }

    /// Goes on from a checkpoint of a trainer that was built the same way.
    ///
    /// # Errors
    /// The bytes are damaged, or another seed, other callbacks or another network wrote them. The
    /// trainer is then as it was.
    pub fn load_checkpoint(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let saved = Checkpoint::read(bytes)?;
        if saved.model != self.model {
            return Err(Error::State(format!(
                "it is of the network {}, this trainer's is {}",
                saved.model, self.model
            )));
        }
        if saved.seed != self.recipe.seed {
            return Err(Error::State(format!(
                "it has seed {}, this trainer {}",
                saved.seed.0, self.recipe.seed.0
            )));
        }
        let (task, callbacks) = (self.task.state()?, self.stack.save()?);
        let loaded = self.task.load_state(&saved.task).map_err(Error::from);
        let loaded = loaded.and_then(|()| Ok(self.stack.load(&saved.callbacks)?));
        if let Err(error) = loaded {
            self.task.load_state(&task)?;
            self.stack.load(&callbacks)?;
            return Err(error);
        }
        let [epoch, batches_seen, updates_attempted, updates_applied] = saved.counters;
        self.counters = Counters { epoch, batches_seen, updates_attempted, updates_applied };
        self.learning_rate = saved.learning_rate;
        Ok(())
    }

    /// Writes a checkpoint that a callback asked for. A store that cannot take it does not end
    /// training: it becomes a warning of the run.
    pub(super) fn write_checkpoint(
        &self,
        run: Option<&RunWriter>,
        request: CheckpointRequest,
    ) -> Result<(), Error> {
        let Some(run) = run else { return Ok(()) };
        let bytes = self.checkpoint()?;
        run.event(match run.store().put_object(&bytes) {
            Ok(object) => RunEvent::Checkpoint {
                label: request.label,
                step: self.counters.updates_applied,
                epoch: self.counters.epoch,
                object,
                metric: request.metric,
            },
            Err(error) => RunEvent::Warning {
                text: format!("checkpoint {} was not written: {error}", request.label),
            },
        });
        Ok(())
    }
}
