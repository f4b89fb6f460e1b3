//! Proves an exported file again, without the trainer.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::compare::{Comparison, compare};
use super::encode::{self, IR_VERSION, OPSET};
use super::{Graph, runtime};
use crate::Error;

/// Protobuf messages, and so ONNX files without external data, end here.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// An intact file, and what is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub file_sha256: String,
    /// SHA-256 of graph and weights, equal to what the export wrote into the metadata.
    pub graph_sha256: String,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The version of ONNX's file format.
    pub ir_version: i64,
    /// What it takes and returns: "input [batch, 5] → logits [batch, 3]".
    pub signature: String,
    /// Numbers per row of the first input; 0 if that depends on a length that is chosen at every run.
    pub input_width: usize,
    /// The first output's name.
    pub output_name: String,
    /// Numbers per row of the first output; 0 if that depends on a length that is chosen at every run.
    pub output_width: usize,
    /// How many numbers the file stores.
    pub parameters: usize,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The ONNX Runtime that it was checked with.
    pub runtime_version: String,
    /// Where that is.
    pub runtime_path: PathBuf,
    /// What was compared: ONNX Runtime with the f64 evaluation.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Checks a file that [`export`](super::export()) wrote: it is whole and unchanged, and ONNX Runtime computes from it what its graph says
/// in f64, on the same batches, optimisation levels and inputs as at the export (random in place of training-like rows). Files of other
/// tools are refused. `library` is where ONNX Runtime is; `None` searches it as [`find`](runtime::find) says.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read, [`Error::OnnxFile`] with what is wrong with it, [`Error::Runtime`] without ONNX Runtime.
pub fn check(path: &Path, library: Option<&Path>) -> Result<CheckReport, Error> {
    let refuse = |reason| Error::OnnxFile { path: path.into(), reason };
    let read_error = |source| Error::Read { path: path.into(), source };
    let about = fs::metadata(path).map_err(read_error)?;
    if !about.is_file() {
        return Err(refuse("it is not a file".into()));
    }
    if about.len() > MAX_BYTES {
        return Err(refuse(format!("it has {} bytes; an ONNX file has at most {MAX_BYTES}", about.len())));
    }
    let bytes = fs::read(path).map_err(read_error)?;
    let (graph, metadata) = Graph::from_bytes(path, &bytes)?;
    let runtime = runtime::load(library)?;
    let comparison = compare((&graph, &bytes), (runtime, path), None, &[], &refuse)?;
    Ok(CheckReport {
        path: path.into(),
        bytes: about.len(),
        file_sha256: encode::sha256(&bytes),
        graph_sha256: graph.sha256(),
        opset: OPSET,
        ir_version: IR_VERSION,
        signature: graph.signature(),
        input_width: graph.input_width(),
        output_name: graph.output_name().into(),
        output_width: graph.output_width(),
        parameters: graph.parameters(),
        metadata,
        runtime_version: runtime.version().into(),
        runtime_path: runtime.path().into(),
        comparison,
    })
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file          {} ({} bytes, {} numbers)", self.path.display(), self.bytes, self.parameters)?;
        writeln!(f, "format        ONNX opset {}, IR {}", self.opset, self.ir_version)?;
        writeln!(f, "computes      {}", self.signature)?;
        writeln!(f, "graph SHA-256 {} (unchanged since the export)", self.graph_sha256)?;
        for (key, value) in &self.metadata {
            writeln!(f, "metadata      {key} = {value}")?;
        }
        writeln!(f, "checked in    ONNX Runtime {} ({})", self.runtime_version, self.runtime_path.display())?;
        write!(f, "{}", self.comparison)
    }
}
