//! Proves an exported file again, without the trainer, or a file of another tool.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use prost::bytes::Bytes;
use serde::Serialize;

use super::array::Numbers;
use super::compare::compare;
use super::decode::{self, Opened};
use super::encode;
use super::file;
use super::folder::{Intact, SUMS, model_of};
use super::foreign::{self, Foreign};
use super::golden::{GOLDEN, Golden, GoldenReport};
use super::graph::Graph;
use super::proto::ModelProto;
use super::report::FileReport;
use super::subject::Subject;
use super::verifier::Verifier;
use crate::Error;

/// A file that was checked, and what is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// What an export says of it, too.
    #[serde(flatten)]
    pub file: FileReport,
    /// SHA-256 of graph and weights, equal to what the export wrote into the metadata; `None` for a
    /// file of another tool, which states none.
    pub graph_sha256: Option<String>,
    /// The tool that wrote it, with its version; empty if the file does not say.
    pub producer: String,
    /// What it takes and returns, in the file's own names: "input [batch, 5] → logits [batch, 3]".
    pub signature: String,
    /// Numbers per row of the first input; 0 if that depends on a length that is chosen at every
    /// run.
    pub input_width: usize,
    /// The first output's name.
    pub output_name: String,
    /// Numbers per row of the first output; 0 if that depends on a length that is chosen at every
    /// run.
    pub output_width: usize,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// What to know of the check of another tool's file, such as a batch that the file fixes.
    pub notes: Vec<String>,
    /// The rows that were recorded with it and run again.
    pub golden: Vec<GoldenReport>,
}

/// Checks a file that [`export`](super::export()) wrote, or the folder around it: it is whole and
/// unchanged, ONNX Runtime computes from it what its graph says in f64, on the same batches,
/// optimisation levels and inputs as at the export (random in place of training-like rows), and it
/// still gives the outputs that were recorded with it.
///
/// A file of any other tool is checked in the same way, without what it does not state, if it is of
/// IR version 3 to 11 and opset 13 to 21, its inputs are batches of rows of f32 or int64 (by any
/// name, or of a fixed number, which is then the only one that is checked), no row depends on
/// another, and all of its operators can be evaluated in f64. Numbers that it keeps in other files
/// of its folder are read with it.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read, [`Error::OnnxFile`] with what is wrong with it or
/// which of its operators are not known, [`Error::Runtime`] without ONNX Runtime.
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
    let bytes = Bytes::from(file::read(&model)?);
    let proto = decode::parse(bytes.clone()).map_err(refuse)?;
    if !is_folder && !foreign::is_ours(&proto) {
        return check_foreign(path, proto, bytes, verifier);
    }
    let Opened { graph, metadata, changed } = decode::open(&proto, &bytes).map_err(refuse)?;
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
    let subject = Subject {
        graph: &graph,
        bytes: &bytes,
        batch: None,
        values: None,
        path: &model,
        engines: &engines,
        refuse: &refuse,
    };
    let comparison = compare(subject, None, &Numbers::default())?;
    let mut golden = Vec::new();
    if let Some(engine) = engines.first() {
        let loaded = (engine.load(&model, &bytes)?, engine.patience());
        for (place, rows) in &recorded {
            golden.push(rows.check(place, &graph, (&loaded.0, loaded.1), &refuse)?);
        }
    }
    Ok(CheckReport {
        file: FileReport::of_ours(path, &bytes, &graph, checked_in, comparison),
        graph_sha256: Some(graph.sha256()),
        producer: format!("{} {}", proto.producer_name, proto.producer_version),
        signature: graph.signature(),
        input_width: graph.input_width(),
        output_name: graph.output_name().into(),
        output_width: graph.output_width(),
        metadata,
        notes: Vec::new(),
        golden,
    })
}

/// A file that does not say that this crate wrote it.
fn check_foreign(
    path: &Path,
    proto: ModelProto,
    file: Bytes,
    verifier: &Verifier,
) -> Result<CheckReport, Error> {
    let refuse = |reason| Error::OnnxFile { path: path.into(), reason };
    let folder = path.parent().unwrap_or(Path::new("."));
    let opened = foreign::open(proto, file.clone(), folder).map_err(refuse)?;
    let Foreign { graph, bytes, metadata, opset, ir_version, producer, batch, .. } = opened;
    let (engines, checked_in) = verifier.engines()?;
    let subject = Subject {
        graph: &graph,
        bytes: &bytes,
        batch,
        values: Some(&opened.values),
        path,
        engines: &engines,
        refuse: &refuse,
    };
    let comparison = compare(subject, None, &Numbers::default())?;
    Ok(CheckReport {
        file: FileReport {
            path: path.into(),
            bytes: file.len() as u64,
            file_sha256: encode::sha256(&file),
            opset,
            ir_version,
            parameters: opened.parameters,
            checked_in,
            comparison,
        },
        graph_sha256: None,
        producer,
        signature: opened.signature,
        input_width: graph.input_width(),
        output_name: graph.output_name().into(),
        output_width: graph.output_width(),
        metadata,
        notes: opened.notes,
        golden: Vec::new(),
    })
}

impl std::ops::Deref for CheckReport {
    type Target = FileReport;

    fn deref(&self) -> &FileReport {
        &self.file
    }
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

/// How the keys begin that an export writes by itself.
pub(super) const OWN: &str = "trainbook.";

/// Without the metadata that the export wrote by itself, but with `{:#}`.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        writeln!(f, "computes      {}", self.signature)?;
        match &self.graph_sha256 {
            Some(hash) => writeln!(f, "graph SHA-256 {hash} (unchanged since the export)")?,
            None => {
                let producer = if self.producer.is_empty() {
                    "a tool that does not say so"
                } else {
                    &self.producer
                };
                writeln!(f, "written by    {} (no hash to hold it to)", shortened(producer))?;
            }
        }
        let all = f.alternate();
        let is_own = |key: &&String| key.starts_with(OWN);
        for (key, value) in self.metadata.iter().filter(|(key, _)| all || !is_own(key)) {
            writeln!(f, "metadata      {key} = {}", shortened(value))?;
        }
        let folded = self.metadata.keys().filter(is_own).count();
        if folded > 0 && !all {
            writeln!(f, "metadata      {folded} entries of the export's own (--all shows them)")?;
        }
        writeln!(f, "checked in    {}", self.checked_in)?;
        write!(f, "{}", self.comparison)?;
        for note in &self.notes {
            write!(f, "\nnote          {note}")?;
        }
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
