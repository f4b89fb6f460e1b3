//! How a run becomes an ONNX file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json, json};
use trainbook_store::RunEvent;

use super::Run;
use super::evaluation::Evaluation;
use super::predict::normalized;
use crate::Error;
use crate::data::{LARGEST_EXPONENT, Numbers, Part};
use crate::nn::{Around, DFDX};
use crate::onnx::{
    self, Array, Element, ExportOptions, ExportReport, Graph, Head, Value, Verifier,
};

/// What stands in a run's ONNX file beside the network, and in which form it ships.
///
/// ```
/// use trainbook::prelude::Export;
/// let as_folder = Export::new().softmax().class().folder();
/// # let _ = as_folder;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Export {
    head: Head,
    temperature: Option<f64>,
    labels: Option<Vec<String>>,
    normalized_input: bool,
    folder: bool,
    verifier: Verifier,
    metadata: BTreeMap<String, String>,
}

impl Export {
    /// A file that takes rows as they stand in the data file and returns `logits` (or `values`), as
    /// [`Run::export`] writes it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `probabilities`, the softmax of the logits, in their place. For classifiers.
    #[must_use]
    pub fn softmax(mut self) -> Self {
        self.head.softmax = true;
        self
    }

    /// Divides the logits by this number, that of [`Run::temperature`] for example, in front of a head
    /// and of the second output. For classifiers, and networks of labels.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Returns a second output, `class`, `[batch]` of int64: the place of the largest logit. For
    /// classifiers.
    #[must_use]
    pub fn class(mut self) -> Self {
        self.head.class = true;
        self
    }

    /// Names of the classes, in their order, for the file's metadata; default: the data set's own.
    #[must_use]
    pub fn labels<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Leaves the normalisation out of the graph: the file takes rows that were normalised already.
    /// Its metadata still has the numbers.
    #[must_use]
    pub fn normalized_input(mut self) -> Self {
        self.normalized_input = true;
        self
    }

    /// Writes a folder instead of a file: `model.onnx`, `test_data_set_0/` with inputs and the
    /// trainer's outputs, and `SHA256SUMS`.
    #[must_use]
    pub fn folder(mut self) -> Self {
        self.folder = true;
        self
    }

    /// What the file is checked in; default: the ONNX Runtime that is found.
    #[must_use]
    pub fn checked_in(mut self, verifier: Verifier) -> Self {
        self.verifier = verifier;
        self
    }

    /// One more entry for the file's metadata. Keys that begin with `trainbook.` are the export's
    /// own.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

impl Run {
    /// The network as an ONNX graph that takes rows as they stand in the data file.
    pub fn graph(&self) -> Result<Graph, Error> {
        self.graph_of(&Export::new())
    }

    fn graph_of(&self, export: &Export) -> Result<Graph, Error> {
        let normalization = self.data.normalization();
        let wanted = !export.normalized_input && !normalization.is_identity();
        let around = Around {
            normalization: wanted.then_some((&*normalization.offset, &*normalization.scale)),
            log1p: if wanted { &normalization.log1p } else { &[] },
            unscaling: (self.data.target_scaling())
                .map(|scaling| (&*scaling.offset, &*scaling.scale)),
            largest_exponent: (self.data.target_scaling())
                .and_then(|scaling| scaling.log1p.then_some(LARGEST_EXPONENT)),
            temperature: export.temperature.map(|temperature| temperature as f32),
        };
        let output = if self.data.classes().is_some() { "logits" } else { "values" };
        Ok(self.model.graph(output, around)?.with_head(export.head)?)
    }

    /// Writes the network to an ONNX file, which exists only if ONNX Runtime computed the same from
    /// its bytes. Recorded with the run.
    ///
    /// # Errors
    /// ONNX Runtime is missing; the network has no exact ONNX form; the file cannot be written;
    /// ONNX Runtime computes something else. In every case no new file is there under `path`, and
    /// an old one is as it was.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<ExportReport, Error> {
        self.export_with(path, Export::new())
    }

    /// [`export`](Self::export) with a head, other labels, without the normalisation, or as a
    /// folder.
    ///
    /// # Errors
    /// As [`export`](Self::export), and [`Error::Setting`] for labels that are not one for each
    /// class, or a head behind a regression.
    pub fn export_with(
        &self,
        path: impl AsRef<Path>,
        export: Export,
    ) -> Result<ExportReport, Error> {
        if export.head != Head::default() && self.data.classes().is_none() {
            let (value, expected) = (
                "softmax or class".into(),
                "left out, because the targets are values, not classes".into(),
            );
            return Err(Error::Setting { setting: "the head", value, expected });
        }
        if let Some(temperature) = export.temperature {
            let wrong = |value: String, expected: &str| {
                let expected = expected.to_owned();
                Err(Error::Setting { setting: "the temperature", value, expected })
            };
            if self.data.classes().is_none() && !self.loss.is_of_labels() {
                let expected = "left out, because the targets are values, not classes or labels";
                return wrong(temperature.to_string(), expected);
            }
            let single = temperature as f32;
            if !(single.is_finite() && single > 0.0) {
                return wrong(temperature.to_string(), "a finite number above 0");
            }
        }
        let graph = self.graph_of(&export)?;
        let train = self.data.part(Part::Train);
        let samples = self.data.raw(&train[..train.len().min(33)])?.numbers;
        let options = ExportOptions {
            metadata: self.metadata(&export, &graph)?,
            samples: match samples {
                Numbers::F32(numbers) if export.normalized_input => {
                    Numbers::F32(normalized(&self.data, numbers)?)
                }
                samples => samples,
            },
            verifier: export.verifier,
            folder: export.folder,
        };
        let forward = |inputs: &[Array]| {
            let Some(input) = inputs.first() else { return Ok(Vec::new()) };
            let mut logits = if export.normalized_input {
                self.predict_on_normalized(input)
            } else {
                self.predict_as_exported(input)
            }?;
            if let (Some(by), Numbers::F32(logits)) = (export.temperature, &mut logits.numbers) {
                logits.iter_mut().for_each(|logit| *logit /= by as f32);
            }
            let width = logits.shape.last().copied().unwrap_or(1);
            Ok(export.head.apply(logits.floats().to_vec(), width))
        };
        let report = onnx::export_with(path.as_ref(), &graph, &forward, &options)?;
        self.record(RunEvent::Export {
            path: report.path.display().to_string(),
            sha256: report.file_sha256.clone(),
            graph_sha256: report.graph_sha256.clone(),
            runtime: format!("{} {}", report.checked_in.engine, report.checked_in.version),
            max_abs_diff: report.comparison.max_abs_diff,
            comparisons: report.comparison.comparisons as u64,
            margin_used: report.comparison.margin_used,
            second_opinion: report.comparison.second_opinion.as_ref().map(ToString::to_string),
        });
        Ok(report)
    }

    /// What a deployer should know of the file. Structured values are JSON.
    fn metadata(&self, export: &Export, graph: &Graph) -> Result<BTreeMap<String, String>, Error> {
        let mut metadata = export.metadata.clone();
        if let Some(key) = metadata.keys().find(|key| key.starts_with("trainbook.")) {
            let expected =
                "a key that does not begin with \"trainbook.\", as the export's own do".into();
            return Err(Error::Setting { setting: "metadata", value: key.clone(), expected });
        }
        let normalization = self.data.normalization();
        let mut put = |key: &str, value: String| metadata.insert(format!("trainbook.{key}"), value);
        if let Some(id) = self.id() {
            put("run", id.to_string());
        }
        put("seed", self.seed.0.to_string());
        put("data", self.data.fingerprint()?.hash);
        put("schema", self.schema(graph).to_string());
        put("metrics", self.metrics()?.to_string());
        put("versions", json!({"trainbook": env!("CARGO_PKG_VERSION"), "dfdx": DFDX}).to_string());
        if !normalization.is_identity() {
            let in_graph = !export.normalized_input;
            let (offset, scale) = (&normalization.offset, &normalization.scale);
            let mut said = json!({"in_graph": in_graph, "offset": offset, "scale": scale});
            if !normalization.log1p.is_empty() {
                said["log1p"] = json!(normalization.log1p);
            }
            put("normalization", said.to_string());
        }
        if let Some(temperature) = export.temperature {
            put("temperature", temperature.to_string());
        }
        if let Some(encoding) = self.data.encoding().filter(|encoding| !encoding.is_plain()) {
            put("encoding", json!(encoding).to_string());
        }
        if let Some(scaling) = self.data.target_scaling() {
            let (offset, scale) = (&scaling.offset, &scaling.scale);
            let mut said = json!({"undone_in_graph": true, "offset": offset, "scale": scale});
            if scaling.log1p {
                said["log1p"] = json!(true);
            }
            put("target_scaling", said.to_string());
        }
        if let Some(classes) = self.data.classes() {
            let labels = export.labels.clone().unwrap_or_else(|| self.data.class_names().to_vec());
            let mut different = labels.clone();
            different.sort_unstable();
            different.dedup();
            if different.len() != classes {
                let expected = format!("{classes} different ones, one for each class");
                return Err(Error::Setting {
                    setting: "labels",
                    value: format!("{labels:?}"),
                    expected,
                });
            }
            put("labels", json!(labels).to_string());
        } else if let Some(labels) = &export.labels {
            let expected = "left out, because the targets are values, not classes".into();
            return Err(Error::Setting {
                setting: "labels",
                value: format!("{labels:?}"),
                expected,
            });
        }
        Ok(metadata)
    }

    /// What goes in and comes out, by name.
    fn schema(&self, graph: &Graph) -> Json {
        let shown = |values: &[Value]| -> Json {
            let one = |value: &Value| {
                let element = if value.element == Element::F32 { "float32" } else { "int64" };
                let shape: Vec<String> = value.shape.iter().map(ToString::to_string).collect();
                json!({"name": value.name, "element": element, "shape": shape})
            };
            values.iter().map(one).collect()
        };
        json!({"inputs": shown(graph.inputs()), "outputs": shown(graph.outputs()), "features": self.data.feature_names()})
    }

    /// Of the weights that are exported, which early stopping may have restored: on the validation
    /// part, else on the training part. Never on the test part, which is looked at when somebody
    /// asks.
    fn metrics(&self) -> Result<Json, Error> {
        let part = if self.data.part(Part::Validation).is_empty() {
            Part::Train
        } else {
            Part::Validation
        };
        let evaluation =
            Evaluation::of(&*self.model, &self.loss, &self.metrics, &self.data, part, |_| {})?;
        let metrics = evaluation.logged();
        Ok(metrics
            .iter()
            .map(|metric| (metric.name.to_string(), json!(metric.value)))
            .collect::<Map<_, _>>()
            .into())
    }
}
