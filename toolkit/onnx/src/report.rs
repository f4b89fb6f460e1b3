//! What an export and a check both say of a file.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::comparison::Comparison;
use super::encode::{self, IR_VERSION, OPSET};
use super::graph::Graph;
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
    /// Of a file that this crate writes, with these bytes and this graph.
    pub(super) fn of_ours(
        path: &Path,
        bytes: &[u8],
        graph: &Graph,
        checked_in: EngineUsed,
        comparison: Comparison,
    ) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.len() as u64,
            file_sha256: encode::sha256(bytes),
            opset: OPSET,
            ir_version: IR_VERSION,
            parameters: graph.parameters(),
            checked_in,
            comparison,
        }
    }

    /// The first two lines of a text.
    pub(super) fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, bytes, parameters, .. } = self;
        writeln!(f, "file          {} ({bytes} bytes, {parameters} numbers)", path.display())?;
        writeln!(f, "format        ONNX opset {}, IR {}", self.opset, self.ir_version)
    }
}
