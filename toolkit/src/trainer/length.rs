//! How long to train.

use serde::{Deserialize, Serialize};

/// A number of passes over the training part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs(pub u64);

/// A number of updates (skipped ones count), in as many passes over the training part as they take.
/// Behind the last one the epoch ends, with its validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(pub u64);

/// How long to train: [`Epochs`] or [`Steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Passes over the training part.
    Epochs(u64),
    /// Updates.
    Steps(u64),
}

impl From<Epochs> for Length {
    fn from(epochs: Epochs) -> Self {
        Self::Epochs(epochs.0)
    }
}

impl From<Steps> for Length {
    fn from(steps: Steps) -> Self {
        Self::Steps(steps.0)
    }
}
