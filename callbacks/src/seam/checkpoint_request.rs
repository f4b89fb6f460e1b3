//! What a callback asks for that wants the state kept.

use trainbook_store::{Metric, Name};

use super::Counters;

/// A checkpoint that a callback asks for; written after the moment, when every callback has seen
/// it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckpointRequest {
    /// What it is called in the run, for example `best`.
    pub label: String,
    /// The metric that earned it.
    pub metric: Option<Metric>,
    /// Earlier checkpoints of this callback that the run no longer keeps once this one is on disk.
    /// What the run has not written itself is passed over, above all what the run has written on
    /// which it goes on.
    pub releases: Vec<CheckpointKey>,
}

impl CheckpointRequest {
    /// Under this label, without a metric, and releasing nothing.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Which checkpoint it becomes when it is taken where the counters are these.
    pub fn key(&self, counters: Counters) -> CheckpointKey {
        CheckpointKey {
            label: self.label.clone(),
            step: counters.updates_applied,
            epoch: counters.epoch,
            metric: self.metric.as_ref().map(|metric| metric.name.clone()),
        }
    }
}

/// Which checkpoint of a run is meant. Two callbacks may ask for the same one; it is kept until both
/// have released it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointKey {
    /// What it is called in the run.
    pub label: String,
    /// Updates applied when it was taken, over the trainer's life.
    pub step: u64,
    /// Epochs finished when it was taken, over the trainer's life. Of one that is asked for at
    /// [`EpochEnd`](super::EpochEnd), the epoch that ends counts.
    pub epoch: u64,
    /// The metric that earned it, if it was one.
    pub metric: Option<Name>,
}
