//! What can go wrong, in one list.

use std::path::PathBuf;

use trainbook_callbacks::CallbackError;
use trainbook_data::DataError;
use trainbook_metrics::MetricError;
use trainbook_nn::NnError;
use trainbook_onnx::OnnxError;
use trainbook_store::StoreError;

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say
/// what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
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
    /// A saved state does not belong to this trainer.
    #[error("load the saved state: {0}")]
    State(String),
    /// Code called during training panicked; the fit was ended in order.
    #[error("go on training after a panic: {0}")]
    Panicked(String),
    /// A fit could not begin in the background.
    #[error("train in the background: {0}")]
    Background(String),
    /// Somebody pressed Ctrl-C, and what was to follow does not.
    #[error("{action}: it was interrupted; what was trained up to there is recorded")]
    Interrupted {
        /// What was being done, for example "cross-validate".
        action: &'static str,
    },
    /// A diagnostic could not give an answer.
    #[error("{diagnostic}: {reason}")]
    Diagnostic {
        /// What was asked, for example "find a learning rate".
        diagnostic: &'static str,
        /// Why there is no answer.
        reason: String,
    },
    /// The data could not be read, or cannot be used as asked.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network, its optimiser or its device failed.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A metric has an option that makes no sense, or does not fit what it measures.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A file could not be exported, checked or run.
    #[error(transparent)]
    Onnx(OnnxError),
    /// A callback failed, or the callbacks contradict each other.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The run store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// So that `?` works on this library's errors inside a callback.
impl From<Error> for CallbackError {
    fn from(error: Error) -> Self {
        match error {
            Error::Callback(error) => error,
            error => Self::custom(error.to_string()),
        }
    }
}

/// An error of the trainer that went through an export comes out as it was.
impl From<OnnxError> for Error {
    fn from(error: OnnxError) -> Self {
        match error {
            OnnxError::Forward(error) => match error.downcast::<Self>() {
                Ok(error) => *error,
                Err(error) => Self::Onnx(OnnxError::Forward(error)),
            },
            error => Self::Onnx(error),
        }
    }
}
