//! Where a fit in the background is.

use std::fmt;

use trainbook_callbacks::StopReason;
use trainbook_store::{Metric, RunId};

/// Where a fit in the background was when it was asked: it shows itself, and does not change.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TrainingStatus {
    /// Its name in the store; `None` without one, or before it is recorded.
    pub run: Option<RunId>,
    /// Whether it runs, or how it ended.
    pub state: TrainingState,
    /// Epochs of this fit that are done.
    pub epoch: u64,
    /// Epochs that were asked for, the last of which may be a part of one; 0 before the fit begins.
    pub epochs: u64,
    /// Batches in an epoch; 0 before the fit begins.
    pub batches_per_epoch: u64,
    /// Batches seen over the trainer's life.
    pub step: u64,
    /// Seconds since the fit was asked for, up to its end.
    pub seconds: f64,
    /// The newest value of each metric, by name: `loss` of the last step, `val_loss` of the last
    /// validation, and so on.
    pub metrics: Vec<Metric>,
    /// The first hundred warnings, of callbacks and of the recording.
    pub warnings: Vec<String>,
    /// How many warnings came behind those.
    pub more_warnings: u64,
}

/// Whether a fit in the background runs, or how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrainingState {
    /// It runs.
    #[default]
    Running,
    /// It was asked to stop, and runs until its step is over.
    Stopping,
    /// It came to its end.
    Finished,
    /// It was stopped, for this reason.
    Stopped(StopReason),
    /// It failed, which [`join`](super::Training::join) gives as an error.
    Failed(String),
}

impl TrainingStatus {
    /// The newest value of a metric, if there is one.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }
}

impl fmt::Display for TrainingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Stopping => f.write_str("stopping behind its step"),
            Self::Finished => f.write_str("finished"),
            Self::Stopped(reason) => write!(f, "stopped ({reason})"),
            Self::Failed(error) => write!(f, "failed to {error}"),
        }
    }
}
