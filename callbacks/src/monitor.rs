//! A metric that a callback goes by.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::{CallbackError, Direction, EpochEnd, FitStart, Resource};

/// Which metric a callback goes by, and when it is better. What the trainer measures has a
/// direction; for what a callback logs it is guessed from the name, unless the user says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Monitor {
    pub metric: Name,
    pub mode: Direction,
    /// Whether the trainer's word on the direction counts, because the user has said nothing.
    #[serde(default)]
    auto: bool,
}

impl Monitor {
    pub fn of(metric: impl AsRef<str>) -> Self {
        let metric = Name::new(metric);
        Self { mode: Direction::of(&metric), metric, auto: true }
    }

    /// The user says when it is better.
    pub fn better(&mut self, mode: Direction) {
        (self.mode, self.auto) = (mode, false);
    }

    /// The fit begins, and what the trainer measures is known.
    pub fn begin(&mut self, fit: &FitStart<'_>) {
        if self.auto
            && let Some(direction) = fit.direction(&self.metric)
        {
            self.mode = direction;
        }
    }

    /// What a callback declares that it reads.
    pub fn resource(&self) -> Resource {
        Resource::Metric(self.metric.clone())
    }

    /// Its value in an epoch.
    ///
    /// # Errors
    /// The epoch has none.
    pub fn value(&self, epoch: &EpochEnd<'_>) -> Result<f64, CallbackError> {
        epoch.metric(&self.metric).ok_or_else(|| {
            CallbackError::custom(format!(
                "{:?} is no metric of this epoch; monitor one that every epoch has at its end",
                self.metric
            ))
        })
    }
}
