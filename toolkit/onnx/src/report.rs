//! What an export and a check both say of a file.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::comparison::Comparison;
use super::verifier::EngineUsed;

/// A file whose numbers were compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileReport {
    /// The file, or the folder around it.
    pub path: PathBuf,
    /// The file's size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub file_sha256: String,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The version of ONNX's file format.
    pub ir_version: i64,
    /// How many floats the file stores.
    pub parameters: usize,
    /// What it was compared in.
    pub checked_in: EngineUsed,
    /// What was compared, and how close it was.
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl FileReport {
    /// The first two lines of a text.
    pub(super) fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, bytes, parameters, .. } = self;
        writeln!(f, "file          {} ({bytes} bytes, {parameters} numbers)", path.display())?;
        writeln!(f, "format        ONNX opset {}, IR {}", self.opset, self.ir_version)
    }
}
