//! What can go wrong with ONNX files, in one list.

use std::path::PathBuf;

/// What a forward pass that somebody else wrote may fail with.
pub type ForwardError = Box<dyn std::error::Error + Send + Sync>;

/// Why something failed. Messages finish the sentence "failed to …", name the wrong value and say
/// what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
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
    /// The trainer's own forward pass failed.
    #[error(transparent)]
    Forward(#[from] ForwardError),
}
