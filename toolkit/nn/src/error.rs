//! What can go wrong with networks, in one list.

use trainbook_onnx::OnnxError;

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say
/// what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// Data does not fit the network or the loss.
    #[error("{action} the data: {reason}")]
    Data {
        /// What was asked, for example "train on".
        action: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
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
    /// The device refused an operation.
    #[error("run {operation} on the device: {reason}")]
    Device {
        /// What was asked of it.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// A saved state does not belong to this network.
    #[error("load the saved state: {0}")]
    State(String),
    /// The network has no exact ONNX form.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
}

impl NnError {
    pub(crate) fn device(operation: &'static str, error: &dyn std::fmt::Debug) -> Self {
        Self::Device { operation, reason: format!("{error:?}") }
    }
}
