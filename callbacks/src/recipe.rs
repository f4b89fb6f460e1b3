//! Callbacks as values, to be recorded with a run and made again from there.

use serde::{Deserialize, Serialize};

use crate::{
    ActivationMonitor, Budget, Callback, Checkpoint, Clip, EarlyStopping, FixSeed, GradientMonitor,
    LrSchedule, NanGuard, PredictionLog, ReduceOnPlateau, WeightAverage, after, every,
};

/// One of this library's callbacks with its settings and without its state: what
/// [`Callback::recipe`] returns, as a JSON object with its type's name,
/// `{"callback": "Clip", "global_norm": 1.0}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "callback")]
#[non_exhaustive]
pub enum CallbackRecipe {
    /// How activations stand.
    ActivationMonitor(ActivationMonitor),
    /// Limits on steps, epochs and time.
    Budget(Budget),
    /// Limited gradients.
    Clip(Clip),
    /// When the training state is kept.
    Checkpoint(Checkpoint),
    /// Stopping when a metric no longer improves.
    EarlyStopping(EarlyStopping),
    /// The seed.
    FixSeed(FixSeed),
    /// The sizes of gradients.
    GradientMonitor(GradientMonitor),
    /// The learning rate.
    LrSchedule(LrSchedule),
    /// No update from a NaN.
    NanGuard(NanGuard),
    /// Predictions for a few rows.
    PredictionLog(PredictionLog),
    /// A learning rate that goes down when a metric no longer improves.
    ReduceOnPlateau(ReduceOnPlateau),
    /// Averages of the weights.
    WeightAverage(WeightAverage),
    /// One that is told of every so many steps.
    Every {
        /// How many.
        n: u64,
        /// Which.
        of: Box<CallbackRecipe>,
    },
    /// One that is kept still at first.
    After {
        /// For how many steps.
        steps: u64,
        /// Which.
        of: Box<CallbackRecipe>,
    },
    /// Several, in this order, that count as one.
    All {
        /// Which.
        of: Vec<CallbackRecipe>,
    },
}

impl CallbackRecipe {
    /// Makes the callback, as it was before its first fit.
    pub fn make(self) -> Box<dyn Callback> {
        match self {
            Self::ActivationMonitor(callback) => Box::new(callback),
            Self::Budget(callback) => Box::new(callback),
            Self::Clip(callback) => Box::new(callback),
            Self::Checkpoint(callback) => Box::new(callback),
            Self::EarlyStopping(callback) => Box::new(callback),
            Self::FixSeed(callback) => Box::new(callback),
            Self::GradientMonitor(callback) => Box::new(callback),
            Self::LrSchedule(callback) => Box::new(callback),
            Self::NanGuard(callback) => Box::new(callback),
            Self::PredictionLog(callback) => Box::new(callback),
            Self::ReduceOnPlateau(callback) => Box::new(callback),
            Self::WeightAverage(callback) => Box::new(callback),
            Self::Every { n, of } => Box::new(every(n, of.make())),
            Self::After { steps, of } => Box::new(after(steps, of.make())),
            Self::All { of } => Box::new(of.into_iter().map(Self::make).collect::<Vec<_>>()),
        }
    }
}

/// A callback of a run, as it is recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedCallback {
    /// Its name.
    pub name: String,
    /// How it is made again; `None` for one that only its own program can make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<CallbackRecipe>,
    /// Whether it has a say in how training goes, by what it declares to write: the learning rate,
    /// gradients, weights, or when to stop.
    #[serde(default)]
    pub decides: bool,
}
