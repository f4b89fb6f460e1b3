//! What can go wrong in a callback or between several.

use trainbook_store::StoreError;

/// Why a callback, or a stack of them, failed. Messages finish the sentence "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// A callback gave up during a moment.
    #[error("run callback {callback}: {reason}")]
    Failed {
        /// The callback's name.
        callback: String,
        /// What it said.
        reason: String,
    },
    /// A callback panicked; those behind it have seen the moment all the same.
    #[error("go on: callback `{callback}` panicked in {moment}: {message}")]
    Panicked {
        /// The callback's name.
        callback: String,
        /// The method that was called, for example "step_end".
        moment: &'static str,
        /// What the panic said.
        message: String,
    },
    /// Two callbacks write the same thing.
    #[error("plan the callbacks: {first} and {second} both write the {resource}; keep one of them")]
    TwoWriters {
        /// What both write.
        resource: String,
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
    /// A callback reads a metric that nothing produces.
    #[error("plan the callbacks: {callback} monitors {metric:?}, which nothing produces; {hint}")]
    UnknownMetric {
        /// The callback that reads it.
        callback: String,
        /// The name that it asked for.
        metric: String,
        /// The nearest existing name, or all of them.
        hint: String,
    },
    /// A callback goes by a metric that is there in steps only.
    #[error(
        "plan the callbacks: {callback} monitors {metric:?} at the end of epochs, and {producer} logs \
         it in steps only; log its mean, or what counts of it, at the end of every epoch under a name \
         of its own, by `on_epoch_end(…).logs(…)`, and monitor that"
    )]
    StepMetric {
        /// The callback that reads it.
        callback: String,
        /// The metric.
        metric: String,
        /// The callback that logs it.
        producer: String,
    },
    /// A callback needs a store and there is none.
    #[error("plan the callbacks: {callback} needs a run store; add `.store(&store)`")]
    NeedsStore {
        /// The callback that needs it.
        callback: String,
    },
    /// A setting has a value that makes no sense.
    #[error("set up {callback}: {setting} is {value}, and must be {expected}")]
    Setting {
        /// The callback's name.
        callback: &'static str,
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A saved state does not fit.
    #[error("read the saved state of callback {callback}: {reason}")]
    State {
        /// The callback's name.
        callback: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The trainer could not hand over gradients or weights.
    #[error("access {what}: {reason}")]
    Access {
        /// "gradients" or "weights".
        what: &'static str,
        /// What the device said.
        reason: String,
    },
    /// The run store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An error of the user's own.
    #[error("{0}")]
    Custom(String),
}

impl CallbackError {
    /// An error with a message of the caller's own.
    pub fn custom(message: impl Into<String>) -> Self {
        Self::Custom(message.into())
    }
}
