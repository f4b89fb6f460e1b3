//! Where a fit is: what has to be known to go on with it.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::{Horizon, MetricLog};
use trainbook_store::Metric;

use super::Length;
use crate::task::MeanLoss;

/// A fit under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FitState {
    pub horizon: Horizon,
    /// The number of its first epoch.
    pub first_epoch: u64,
    /// `updates_attempted` with which it ends, if it was asked for in updates.
    pub last_attempt: Option<u64>,
    /// The epoch in whose middle it is.
    pub epoch: Option<EpochState>,
}

/// An epoch under way. What it holds is the same whenever the fit is repeated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EpochState {
    /// How many of its batches have been trained on.
    pub batches: u64,
    /// Whether a callback has ended it, so that only its validation is left.
    pub over: bool,
    /// Whether the step that was the last calls for a validation, which a stop has left undone.
    #[serde(default)]
    pub due: bool,
    pub loss: MeanLoss,
    /// What callbacks have logged for its end.
    pub log: Vec<Metric>,
}

impl FitState {
    /// As it was asked for.
    pub fn length(&self) -> Length {
        self.horizon.limit.map_or(Length::Epochs(self.horizon.epochs), Length::Steps)
    }
}

impl EpochState {
    /// A copy as it is now.
    pub fn now(&self, log: &MetricLog) -> Self {
        Self { log: log.read(<[_]>::to_vec), ..self.clone() }
    }
}
