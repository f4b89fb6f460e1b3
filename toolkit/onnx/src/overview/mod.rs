//! What is in an ONNX file of any tool: nodes, shapes, parameters, FLOPs, metadata.
//!
//! ```text
//! bytes ── proto ──▶ model ── read ──▶ Overview ── text ──▶ a table
//!                              │
//!           shape: sizes at one row ─▶ flops: a formula per operator
//! ```
//!
//! Nothing is run, and no file but the one that is named is opened.

mod flops;
mod info;
mod operators;
mod read;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::path::Path;

use prost::bytes::Bytes;

use super::file;
use crate::Error;

pub use info::{NodeInfo, Overview, Size, TensorInfo};

/// Reads what is in the ONNX file at `path`. Any tool may have written it; files next to it, where
/// large models keep their weights, are named but not opened.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read, [`Error::OnnxFile`] if it is no ONNX file, damaged,
/// larger than 2 GiB, or keeps data in a file outside its folder.
pub fn overview(path: impl AsRef<Path>) -> Result<Overview, Error> {
    let path = path.as_ref();
    Overview::from_bytes(path, file::read(path)?.into())
}

impl Overview {
    pub(super) fn from_bytes(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        read::overview(path, bytes).map_err(|reason| Error::OnnxFile { path: path.into(), reason })
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.element, text::shape(self.shape.as_deref()))
    }
}
