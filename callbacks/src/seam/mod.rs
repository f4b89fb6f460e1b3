//! What a callback is, when it is called, and how several become one.

mod access;
mod callback;
mod compose;
mod direction;
mod effects;
mod error;
mod flow;
mod kept;
pub mod moment;
mod snapshot;
mod stack;
mod state;

pub use access::{Gradients, TensorInfo, TensorStats, Weights, sum_of_squares};
pub use callback::{Callback, Reply};
pub use compose::{Every, OnEpochEnd, OnStepEnd, every, on_epoch_end, on_step_end};
pub use direction::{Direction, EpochMetric};
pub use effects::{Effects, Phase, Resource};
pub use error::CallbackError;
pub use flow::{Flow, StopKind, StopReason};
pub use kept::KeptCheckpoints;
pub use moment::{
    AfterUpdate, BatchStart, CheckpointKey, CheckpointRequest, Counters, EpochEnd, EpochStart,
    FitEnd, FitStart, GradientEdit, GradientView, Horizon, MetricLog, Moment, Resumed, Setup,
    StepEnd, ValidationEnd, ValidationStart,
};
pub use snapshot::Snapshot;
pub use stack::{NamedState, Plan, Stack};
pub use state::CallbackState;
