//! Writes a model's ONNX file, if and only if ONNX Runtime computes the same from it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use trainbook_core::beside::{folder_of, temporary_beside};

use super::array::{Array, Numbers};
use super::compare::compare;
use super::comparison::Comparison;
use super::encode::{self, RESERVED};
use super::engine::Engine;
use super::forward::{Forward, Predict};
use super::golden::{GOLDEN, Golden};
use super::graph::{Graph, rows_shape};
use super::inputs::usual_inputs;
use super::report::FileReport;
use super::subject::Subject;
use super::verifier::{EngineUsed, Verifier};
use super::{decode, folder, structure};
use crate::Error;

/// The metadata entry that says, as JSON, what the file was checked in and how close it was.
pub const PROOF: &str = "trainbook.proof";

/// What an export may be given beside the graph.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Entries for the file's metadata: run id, labels, whatever the deployer should know. None of
    /// them changes [`Graph::sha256`].
    pub metadata: BTreeMap<String, String>,
    /// What the file is checked in.
    pub verifier: Verifier,
    /// Rows like those of training, row-major, whole rows of the kind of numbers that the graph
    /// takes; at most 33 of them are used. May be empty, and must be unless the graph takes nothing
    /// but one array whose rows have a fixed length.
    pub samples: Numbers,
    /// Instead of a file, a folder in ONNX's own layout: `model.onnx`; `test_data_set_0/` with 33
    /// rows of input and what the trainer computes for them, as `input_0.pb` and `output_0.pb`; and
    /// `SHA256SUMS`.
    pub folder: bool,
}

/// A file that was written, and how it was proved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportReport {
    /// What a check says of it, too.
    #[serde(flatten)]
    pub file: FileReport,
    /// SHA-256 of graph and weights, without metadata.
    pub graph_sha256: String,
}

impl std::ops::Deref for ExportReport {
    type Target = FileReport;

    fn deref(&self) -> &FileReport {
        &self.file
    }
}

/// Writes `graph` to `path`, if ONNX Runtime computes from the written bytes what `predict`
/// computes.
///
/// The bytes go to a temporary file beside `path`, are read back, loaded in ONNX Runtime and run on
/// batches of 1, 2, 3, 7 and 33 rows, with optimisations off and on, on training-like (or random),
/// zero, large, tiny and constant rows, and on each with the rows in reverse order. Every output of
/// the trainer and of ONNX Runtime must be finite and within the margin of the graph's f64
/// evaluation. Then the file is made durable and takes its name. Else nothing is left behind, and
/// an older file under that name stays as it was.
///
/// How close it was stands in the file's metadata ([`PROOF`]), so it is compared before, in memory;
/// the file's own proof has to come to the same numbers.
///
/// # Errors
/// [`Error::Export`] if the numbers differ, with the largest difference and the first node that
/// differs; [`Error::Runtime`] without ONNX Runtime; [`Error::Write`] if the file cannot be
/// written; [`Error::Setting`] for unusable samples or metadata; what `predict` returns.
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
        return Err(Error::Setting {
            setting: "the number of outputs",
            value: outputs.to_string(),
            expected,
        });
    }
    let forward = |inputs: &[Array]| match inputs {
        [Array { shape, numbers: Numbers::F32(rows) }] => Ok(vec![predict(rows, shape[0])?]),
        // Refused above.
        _ => Ok(Vec::new()),
    };
    export_with(path, graph, &forward, options)
}

/// [`export`] for a graph with several inputs or outputs, with integers, or with sequences whose
/// length is chosen at every run: those are compared at three lengths.
///
/// # Errors
/// As [`export`].
pub fn export_with(
    path: &Path,
    graph: &Graph,
    forward: &Forward<'_>,
    options: &ExportOptions,
) -> Result<ExportReport, Error> {
    let (engines, checked_in) = options.verifier.engines()?;
    let job = Job { path, graph, forward, engines: &engines, samples: &options.samples };
    structure::verify(graph).map_err(|reason| job.refuse(reason))?;
    let mut metadata = options.metadata.clone();
    if let Some(key) =
        RESERVED.iter().chain(&[GOLDEN, PROOF]).find(|key| metadata.contains_key(**key))
    {
        let expected = "left to the export, which writes it".into();
        return Err(Error::Setting { setting: "metadata", value: (*key).into(), expected });
    }
    // First of all a look at the place, before seconds are spent on a file that cannot be written.
    let folder = folder_of(path);
    let mut file = temporary_beside(path).map_err(|e| job.write_error(e))?;

    let (comparison, golden) = job.measure(&metadata)?;
    if let Some(rows) = golden.for_metadata(graph) {
        metadata.insert(GOLDEN.into(), rows);
    }
    metadata.insert(PROOF.into(), proof_text(&checked_in, &comparison));

    file.write_all(&encode::model_bytes(graph, &metadata)).map_err(|e| job.write_error(e))?;
    let bytes = fs::read(file.path()).map_err(|e| job.write_error(e))?;
    let (written, _) = decode::model(&bytes).map_err(|reason| job.refuse(reason))?;
    let proved = job.compare(&written, &bytes)?;
    if proof_text(&checked_in, &proved) != proof_text(&checked_in, &comparison) {
        return Err(job.refuse(
            "the file, once written, gives other numbers than before it was written".into(),
        ));
    }

    file.as_file().sync_all().map_err(|e| job.write_error(e))?;
    if options.folder {
        folder::write(path, graph, file, &bytes, &golden).map_err(|e| job.write_error(e))?;
    } else {
        file.persist(path).map_err(|e| job.write_error(e.error))?;
    }
    // Without this the name itself may be lost when the power goes.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| job.write_error(e))?;
    Ok(ExportReport {
        graph_sha256: graph.sha256(),
        file: FileReport::of_ours(path, &bytes, graph, checked_in, proved),
    })
}

/// What is exported, to where, and who proves it.
#[derive(Clone, Copy)]
struct Job<'a> {
    path: &'a Path,
    graph: &'a Graph,
    forward: &'a Forward<'a>,
    engines: &'a [Engine],
    samples: &'a Numbers,
}

impl Job<'_> {
    fn refuse(&self, reason: String) -> Error {
        Error::Export { path: self.path.into(), reason }
    }

    fn write_error(&self, source: std::io::Error) -> Error {
        Error::Write { path: self.path.into(), source }
    }

    fn compare(&self, graph: &Graph, bytes: &[u8]) -> Result<Comparison, Error> {
        let refuse = |reason| self.refuse(reason);
        let subject = Subject {
            graph,
            bytes,
            batch: None,
            values: None,
            path: self.path,
            engines: self.engines,
            refuse: &refuse,
        };
        compare(subject, Some(self.forward), self.samples)
    }

    /// How close the graph is, and the rows that are kept with it.
    fn measure(&self, metadata: &BTreeMap<String, String>) -> Result<(Comparison, Golden), Error> {
        let comparison = self.compare(self.graph, &encode::model_bytes(self.graph, metadata))?;
        let inputs = usual_inputs(self.graph, self.samples)?;
        Ok((comparison, Golden::record(self.graph, inputs, self.forward)?))
    }
}

/// The figures as the file's metadata hold them.
fn proof_text(checked_in: &EngineUsed, comparison: &Comparison) -> String {
    let second_opinion = comparison.second_opinion.as_ref().map(ToString::to_string);
    serde_json::json!({
        // Not where it lies: the same model exported on two machines should be the same file.
        "checked_in": format!("{} {}", checked_in.engine, checked_in.version),
        "second_opinion": second_opinion,
        "comparisons": comparison.comparisons,
        "max_abs_diff": comparison.max_abs_diff,
        "usual_abs_diff": comparison.usual_abs_diff,
        "margin_used": comparison.margin_used,
    })
    .to_string()
}

trainbook_core::shown_as_text!(ExportReport);

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        writeln!(f, "file SHA-256  {}", self.file_sha256)?;
        writeln!(f, "graph SHA-256 {}", self.graph_sha256)?;
        writeln!(f, "proved in     {}", self.checked_in)?;
        write!(f, "{}", self.comparison)
    }
}
