//! What a callback is, when it is called, and how several become one.

mod access;
mod callback;
mod checkpoint_request;
mod closure;
mod compose;
mod cost;
mod direction;
mod effects;
mod error;
mod failed_to;
mod flow;
mod gate;
mod kept;
#[cfg(test)]
mod listener;
mod log;
pub mod moment;
mod predictions;
mod reading;
mod replay;
mod snapshot;
mod stack;
mod state;
mod update_settings;

pub use access::{Gradients, TensorInfo, TensorStats, Weights, sum_of_squares};
pub use callback::{Callback, Reply};
pub use checkpoint_request::{CheckpointKey, CheckpointRequest};
pub use closure::{
    Closure, on_after_update, on_batch_start, on_change_gradients, on_checkpoint_written,
    on_epoch_end, on_epoch_start, on_final_gradients, on_fit_end, on_fit_start, on_raw_gradients,
    on_setup, on_step_end, on_validated, on_validation_end, on_validation_start,
};
pub use direction::{Direction, EpochMetric};
pub use effects::{Effects, Phase, Resource};
pub use error::CallbackError;
pub use failed_to::FailedTo;
pub use flow::{Flow, StopKind, StopReason};
pub use gate::{After, Every, When, after, every, when};
pub use kept::KeptCheckpoints;
pub use log::MetricLog;
pub use moment::{
    AfterUpdate, BatchStart, CheckpointWritten, Counters, EpochEnd, EpochStart, FitEnd, FitStart,
    GradientEdit, GradientView, Horizon, Moment, Resumed, Setup, StepEnd, StepScale, Validated,
    ValidationEnd, ValidationStart,
};
pub use predictions::{Answer, Predictions, RowPrediction};
pub use reading::{Reading, StepLoss, Tell, Wait};
pub use replay::{Activity, NonFinite, Replay};
pub use snapshot::Snapshot;
pub use stack::{NamedState, Plan, Stack, panic_message};
pub use state::CallbackState;
pub use update_settings::UpdateSettings;
