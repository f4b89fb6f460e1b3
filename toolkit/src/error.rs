//! What can go wrong, in one list.

use std::path::PathBuf;

use trainbook_callbacks::CallbackError;
use trainbook_store::StoreError;

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A data file was read, but does not hold what it should.
    #[error("read {} {place}: {reason}", path.display())]
    DataFile {
        /// The file.
        path: PathBuf,
        /// Where in it, for example `line 17, column "age"`.
        place: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A data set cannot be used as asked.
    #[error("{action} the data: {reason}")]
    Data {
        /// What was asked, for example "split".
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
    /// A saved state does not belong to this trainer.
    #[error("load the saved state: {0}")]
    State(String),
    /// Code called during training panicked; the fit was ended in order.
    #[error("go on training after a panic: {0}")]
    Panicked(String),
    /// A diagnostic could not give an answer.
    #[error("{diagnostic}: {reason}")]
    Diagnostic {
        /// What was asked, for example "find a learning rate".
        diagnostic: &'static str,
        /// Why there is no answer.
        reason: String,
    },
    /// ONNX Runtime could not be found or loaded.
    #[error("load ONNX Runtime: {0}")]
    Runtime(String),
    /// ONNX Runtime could not be fetched into the user's cache.
    #[error("install ONNX Runtime: {0}")]
    RuntimeInstall(String),
    /// A file is not an ONNX model that can be used.
    #[error("use the ONNX model {}: {reason}", path.display())]
    OnnxFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model has no exact ONNX form.
    #[error("express {layer} in ONNX: {reason}")]
    NoOnnxForm {
        /// Which part of the model, for example "Linear 0.2".
        layer: String,
        /// Why not.
        reason: String,
    },
    /// ONNX Runtime computes something else than the trainer. No file was written.
    #[error("export {}: {reason}", path.display())]
    Export {
        /// The file that was to be written.
        path: PathBuf,
        /// Why it was not.
        reason: String,
    },
    /// A callback failed, or the callbacks contradict each other.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The run store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    pub(crate) fn device(operation: &'static str, error: &dyn std::fmt::Debug) -> Self {
        Self::Device { operation, reason: format!("{error:?}") }
    }
}
