//! Writes a model's ONNX file, if and only if ONNX Runtime computes the same from it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::array::{Array, Numbers};
use super::compare::{Comparison, compare};
use super::encode::{self, GRAPH_SHA256, IR_VERSION, OPSET};
use super::graph::{Graph, rows_shape};
use super::{decode, runtime, structure};
use crate::Error;

/// The trainer's own forward pass in evaluation mode: rows as the graph takes them (row-major) and their number → the output, row-major.
pub type Predict<'a> = dyn Fn(&[f32], usize) -> Result<Vec<f32>, Error> + 'a;

/// The same for any inputs and outputs: arrays as the graph takes them → the outputs, each row-major.
pub type Forward<'a> = dyn Fn(&[Array]) -> Result<Vec<Vec<f32>>, Error> + 'a;

/// What an export may be given beside the graph.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Entries for the file's metadata: run id, labels, whatever the deployer should know. None of them changes [`Graph::sha256`].
    pub metadata: BTreeMap<String, String>,
    /// ONNX Runtime's shared library; `None` searches it as [`find`](runtime::find) says.
    pub runtime: Option<PathBuf>,
    /// Rows like those of training, row-major, whole rows; at most 33 of them are used. May be empty, and must be unless the graph takes
    /// nothing but one array of floats whose rows have a fixed length.
    pub samples: Vec<f32>,
}

/// A file that was written, and how it was proved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportReport {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub file_sha256: String,
    /// SHA-256 of graph and weights, without metadata.
    pub graph_sha256: String,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The version of ONNX's file format.
    pub ir_version: i64,
    /// How many numbers the file stores.
    pub parameters: usize,
    /// The ONNX Runtime that it was proved with.
    pub runtime_version: String,
    /// Where that is.
    pub runtime_path: PathBuf,
    /// What was compared, and how close it was.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Writes `graph` to `path`, if ONNX Runtime computes from the written bytes what `predict` computes.
///
/// The bytes go to a temporary file beside `path`, are read back, loaded in ONNX Runtime and run on batches of 1, 2, 3, 7 and 33 rows,
/// with optimisations off and on, on training-like (or random), zero, large, tiny and constant rows. Every output of the trainer and of
/// ONNX Runtime must be finite and within the margin of the graph's f64 evaluation. Then the file is made durable and takes its name.
/// Else nothing is left behind, and an older file under that name stays as it was.
///
/// # Errors
/// [`Error::Export`] if the numbers differ, with the largest difference and the first node that differs; [`Error::Runtime`] without ONNX
/// Runtime; [`Error::Write`] if the file cannot be written; [`Error::Setting`] for unusable samples or metadata; what `predict` returns.
pub fn export(
    path: &Path,
    graph: &Graph,
    predict: &Predict<'_>,
    options: &ExportOptions,
) -> Result<ExportReport, Error> {
    if let [_] = graph.outputs() {
        rows_shape(graph.inputs(), graph.input_width(), 1)?;
    } else {
        let outputs = graph.outputs().len();
        let expected = "1, or a call of export_with".into();
        return Err(Error::Setting { setting: "the number of outputs", value: outputs.to_string(), expected });
    }
    let forward = |inputs: &[Array]| match inputs {
        [Array { shape, numbers: Numbers::F32(rows) }] => Ok(vec![predict(rows, shape[0])?]),
        // Refused above.
        _ => Ok(Vec::new()),
    };
    export_with(path, graph, &forward, options)
}

/// [`export`] for a graph with several inputs or outputs, with integers, or with sequences whose length is chosen at every run: those are
/// compared at three lengths.
///
/// # Errors
/// As [`export`].
pub fn export_with(
    path: &Path,
    graph: &Graph,
    forward: &Forward<'_>,
    options: &ExportOptions,
) -> Result<ExportReport, Error> {
    let runtime = runtime::load(options.runtime.as_deref())?;
    let refuse = |reason| Error::Export { path: path.into(), reason };
    let write_error = |source| Error::Write { path: path.into(), source };
    structure::verify(graph).map_err(refuse)?;
    if options.metadata.contains_key(GRAPH_SHA256) {
        let expected = "left to the export, which writes it".into();
        return Err(Error::Setting { setting: "metadata", value: GRAPH_SHA256.into(), expected });
    }

    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = temporary(folder).map_err(write_error)?;
    file.write_all(&encode::model_bytes(graph, &options.metadata)).map_err(write_error)?;
    let bytes = fs::read(file.path()).map_err(write_error)?;
    let (written, _) = decode::model(&bytes).map_err(refuse)?;
    let comparison = compare((&written, &bytes), (runtime, path), Some(forward), &options.samples, &refuse)?;

    file.as_file().sync_all().map_err(write_error)?;
    file.persist(path).map_err(|e| write_error(e.error))?;
    // Without this the name itself may be lost when the power goes.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(write_error)?;
    Ok(ExportReport {
        path: path.into(),
        bytes: bytes.len() as u64,
        file_sha256: encode::sha256(&bytes),
        graph_sha256: graph.sha256(),
        opset: OPSET,
        ir_version: IR_VERSION,
        parameters: graph.parameters(),
        runtime_version: runtime.version().into(),
        runtime_path: runtime.path().into(),
        comparison,
    })
}

/// Removed when dropped, unless it got its name.
fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".trainbook-").suffix(".onnx.tmp");
    // As any new file, where tempfile would keep it from everybody else.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file          {} ({} bytes, {} numbers)", self.path.display(), self.bytes, self.parameters)?;
        writeln!(f, "format        ONNX opset {}, IR {}", self.opset, self.ir_version)?;
        writeln!(f, "file SHA-256  {}", self.file_sha256)?;
        writeln!(f, "graph SHA-256 {}", self.graph_sha256)?;
        writeln!(f, "proved in     ONNX Runtime {} ({})", self.runtime_version, self.runtime_path.display())?;
        write!(f, "{}", self.comparison)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "compared      {} runs: batches × optimisation × kinds of input", self.comparisons)?;
        writeln!(f, "difference    {:.3e} at most, {:.3e} on usual inputs", self.max_abs_diff, self.usual_abs_diff)?;
        write!(f, "margin used   {:.1} % of what f32 rounding explains", 100.0 * self.margin_used)
    }
}
