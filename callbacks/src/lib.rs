//! The callback seam of `trainbook`, and the callbacks it ships.
//!
//! A training run is one loop with fixed moments ([`seam::moment`] draws it). A [`Callback`] is
//! anything that wants to be told about some of them: it may look, and where a moment's context
//! offers it, change something or ask the loop to stop. Several callbacks form a [`Stack`], which
//! orders them by what they declare ([`Effects`]) and refuses contradictions before the first step.
//!
//! To write one, open `seam/callback.rs`: a struct with one method, or a closure, is enough.
//!
//! Nothing here knows a model, a tensor library or a device; gradients and weights arrive through
//! [`Gradients`] and [`Weights`].

pub mod schedule;
pub mod seam;

mod activation_monitor;
mod budget;
mod checkpoint;
mod clip;
mod clock;
mod early_stopping;
mod gradient_monitor;
mod loss_scale;
mod monitor;
mod nan_guard;
mod number;
mod prediction_log;
mod progress;
mod recipe;
mod recorder;
mod seed;
mod setting;
mod weight_average;

// The fake trainer is shared by the unit tests here and the tests in `tests/`, where this crate has
// its outside name.
#[cfg(test)]
extern crate self as trainbook_callbacks;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod fake;

pub use activation_monitor::ActivationMonitor;
pub use budget::Budget;
pub use checkpoint::Checkpoint;
pub use clip::Clip;
pub use early_stopping::EarlyStopping;
pub use gradient_monitor::GradientMonitor;
pub use loss_scale::LossScaleMonitor;
pub use nan_guard::NanGuard;
pub use prediction_log::PredictionLog;
pub use progress::Progress;
pub use recipe::{CallbackRecipe, RecordedCallback};
pub use recorder::Recorder;
pub use schedule::LrSchedule;
pub use schedule::ReduceOnPlateau;
pub use seed::FixSeed;
pub use weight_average::WeightAverage;

pub use seam::{
    Activity, AfterUpdate, Answer, BatchStart, Callback, CallbackError, CallbackState,
    CheckpointKey, CheckpointRequest, CheckpointWritten, Closure, Counters, Direction, Effects,
    EpochEnd, EpochMetric, EpochStart, FailedTo, FitEnd, FitStart, Flow, GradientEdit,
    GradientView, Gradients, Horizon, MetricLog, Moment, NamedState, NonFinite, Phase, Plan,
    Predictions, Reading, Replay, Reply, Resource, Resumed, RowPrediction, Setup, Snapshot, Stack,
    StepEnd, StepLoss, StepScale, StopKind, StopReason, Tell, TensorInfo, TensorStats,
    UpdateSettings, Validated, ValidationEnd, ValidationStart, Wait, Weights, after, every,
    on_after_update, on_batch_start, on_change_gradients, on_checkpoint_written, on_epoch_end,
    on_epoch_start, on_final_gradients, on_fit_end, on_fit_start, on_raw_gradients, on_setup,
    on_step_end, on_validated, on_validation_end, on_validation_start, when,
};
