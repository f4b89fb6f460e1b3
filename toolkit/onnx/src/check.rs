//! Proves an exported file again, without the trainer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::array::Numbers;
use super::compare::compare;
use super::comparison::Comparison;
use super::decode::{self, Opened};
use super::encode::{self, IR_VERSION, OPSET};
use super::file;
use super::folder::{Intact, SUMS, model_of};
use super::golden::{GOLDEN, Golden, GoldenReport};
use super::graph::Graph;
use super::subject::Subject;
use super::verifier::{EngineUsed, Verifier};
use crate::Error;

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
    /// Numbers per row of the first input; 0 if that depends on a length that is chosen at every
    /// run.
    pub input_width: usize,
    /// The first output's name.
    pub output_name: String,
    /// Numbers per row of the first output; 0 if that depends on a length that is chosen at every
    /// run.
    pub output_width: usize,
    /// How many numbers the file stores.
    pub parameters: usize,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// What it was checked in.
    pub checked_in: EngineUsed,
    /// What was compared: ONNX Runtime with the f64 evaluation.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The rows that were recorded with it and run again.
    pub golden: Vec<GoldenReport>,
}

/// Checks a file that [`export`](super::export()) wrote, or the folder around it: it is whole and
/// unchanged, ONNX Runtime computes from it what its graph says in f64, on the same batches,
/// optimisation levels and inputs as at the export (random in place of training-like rows), and it
/// still gives the outputs that were recorded with it. Files of other tools are refused.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read, [`Error::OnnxFile`] with what is wrong with it,
/// [`Error::Runtime`] without ONNX Runtime.
pub fn check(path: impl AsRef<Path>, verifier: &Verifier) -> Result<CheckReport, Error> {
    let path = path.as_ref();
    let refuse = |reason| Error::OnnxFile { path: path.into(), reason };
    let is_folder = path.is_dir();
    if is_folder && !path.join(SUMS).is_file() {
        return Err(refuse(format!(
            "it is a folder without a {SUMS}, so it was not written by trainbook"
        )));
    }
    let model = model_of(path);
    let bytes = file::read(&model)?;
    let Opened { graph, metadata, changed } = decode::open(&bytes).map_err(refuse)?;
    let kept = metadata.get(GOLDEN).map(|text| Golden::from_metadata(text, &graph));
    if let Some(changed) = changed {
        let effect =
            kept.and_then(Result::ok).map_or_else(String::new, |golden| effect(&golden, &graph));
        return Err(refuse(format!("{changed}{effect}")));
    }
    let mut recorded: Vec<(String, Golden)> = Vec::new();
    if let Some(golden) = kept {
        recorded.push(("metadata".into(), golden.map_err(refuse)?));
    }
    if is_folder {
        recorded
            .extend(Intact::read(path).and_then(|folder| folder.golden(&graph)).map_err(refuse)?);
    }

    let (engines, checked_in) = verifier.engines()?;
    let subject =
        Subject { graph: &graph, bytes: &bytes, path: &model, engines: &engines, refuse: &refuse };
    let comparison = compare(subject, None, &Numbers::default())?;
    let mut golden = Vec::new();
    if let Some(engine) = engines.first() {
        let loaded = (engine.load(&model, &bytes)?, engine.patience());
        for (place, rows) in &recorded {
            golden.push(rows.check(place, &graph, (&loaded.0, loaded.1), &refuse)?);
        }
    }
    Ok(CheckReport {
        path: path.into(),
        bytes: bytes.len() as u64,
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
        checked_in,
        comparison,
        golden,
    })
}

/// What a change does to the rows that were recorded, for a message.
fn effect(golden: &Golden, graph: &Graph) -> String {
    let rows = golden.rows();
    match golden.farthest(graph) {
        Ok(Some(farthest)) => format!(
            "; on the {rows} rows that were recorded in it, the largest difference is {:.3e}: {} is {:.9}, and {:.9} was recorded",
            farthest.difference(),
            farthest.place,
            farthest.found,
            farthest.recorded,
        ),
        Ok(None) => String::new(),
        Err(reason) => format!("; what was recorded in it cannot be computed: {reason}"),
    }
}

trainbook_core::shown_as_text!(CheckReport);

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "file          {} ({} bytes, {} numbers)",
            self.path.display(),
            self.bytes,
            self.parameters
        )?;
        writeln!(f, "format        ONNX opset {}, IR {}", self.opset, self.ir_version)?;
        writeln!(f, "computes      {}", self.signature)?;
        writeln!(f, "graph SHA-256 {} (unchanged since the export)", self.graph_sha256)?;
        for (key, value) in &self.metadata {
            writeln!(f, "metadata      {key} = {}", shortened(value))?;
        }
        writeln!(f, "checked in    {}", self.checked_in)?;
        write!(f, "{}", self.comparison)?;
        for GoldenReport { place, rows, max_abs_diff } in &self.golden {
            write!(
                f,
                "\nrecorded      {rows} rows in its {place}: {max_abs_diff:.3e} from what was recorded at most"
            )?;
        }
        Ok(())
    }
}

/// At most 120 characters: recorded rows are long.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
