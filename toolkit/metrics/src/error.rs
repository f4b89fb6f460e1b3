//! What can go wrong with metrics.

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say
/// what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A setting has a value that makes no sense.
    #[error("set {setting} to {value}: it must be {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// There is no metric of this name.
    #[error("find the metric {name:?}: there is none; did you mean {nearest:?}?")]
    Unknown {
        /// The name.
        name: String,
        /// The one that is written most like it.
        nearest: &'static str,
    },
    /// Outputs and targets do not fit each other or the metric.
    #[error("measure {metric}: {reason}")]
    Data {
        /// The metric's name.
        metric: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}
