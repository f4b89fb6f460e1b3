//! A computation as plain data: nodes in the order in which they run, the values between them, and the weights.

use std::collections::BTreeMap;
use std::path::Path;

use super::layer::join;
use super::operator::Operator;
use super::{ToOnnx, decode, encode, reference, structure};
use crate::Error;

/// The name of the graph's input, of shape `[batch, width]`.
pub const INPUT: &str = "input";
/// The name of the dimension whose size is chosen by the caller at every run.
pub const BATCH: &str = "batch";

/// A model in ONNX's terms: what is written to the file, and nothing about the run it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<Weight>,
}

/// One dimension of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the graph is built.
    Fixed(usize),
    /// Chosen at every run, and known by this name.
    Named(String),
}

/// A value that flows between nodes: f32, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Unique in the graph.
    pub name: String,
    /// `[batch, features]`.
    pub shape: Vec<Dim>,
}

impl Value {
    /// The number of features, if the shape is `[batch, features]`.
    pub fn width(&self) -> Option<usize> {
        match self.shape.as_slice() {
            [Dim::Named(name), Dim::Fixed(width)] if name == BATCH => Some(*width),
            _ => None,
        }
    }
}

/// An attribute of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attribute {
    /// `FLOAT`.
    Float(f32),
    /// `INT`.
    Int(i64),
}

/// One operation: an ONNX operator of the default domain with one output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    pub output: Value,
    pub attributes: BTreeMap<String, Attribute>,
}

/// A constant tensor, f32, row-major: ONNX calls it an initializer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weight {
    pub name: String,
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Graph {
    /// The graph of `layer` for inputs of `width` features, with its output named `output_name`.
    ///
    /// With `normalization` = `(offset, scale)`, each of length `width`, the graph takes raw features and begins with
    /// `(input − offset) · scale`.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if a layer cannot be expressed; [`Error::Setting`] for a width of 0, an output name that is empty or
    /// already in use, or a normalisation of the wrong length.
    pub fn build(
        width: usize,
        output_name: &str,
        layer: &(impl ToOnnx + ?Sized),
        normalization: Option<(&[f32], &[f32])>,
    ) -> Result<Self, Error> {
        if width == 0 || width > structure::MAX_WIDTH {
            return Err(Error::Setting {
                setting: "width",
                value: width.to_string(),
                expected: format!("between 1 and {}", structure::MAX_WIDTH),
            });
        }
        let input = Value { name: INPUT.into(), shape: vec![Dim::Named(BATCH.into()), Dim::Fixed(width)] };
        let mut builder = GraphBuilder::default();
        builder.shapes.insert(INPUT.into(), input.shape.clone());
        let mut value = input.clone();
        if let Some((offset, scale)) = normalization {
            for (setting, statistic) in [("normalization offset", offset), ("normalization scale", scale)] {
                if statistic.len() != width {
                    return Err(Error::Setting {
                        setting,
                        value: format!("{} numbers", statistic.len()),
                        expected: format!("{width} numbers, one per feature"),
                    });
                }
            }
            let scope = "normalize";
            let offset = builder.weight(scope, "offset", &[width], offset.to_vec())?;
            let scale = builder.weight(scope, "scale", &[width], scale.to_vec())?;
            value = builder.node(scope, "Sub", &[&value.name, &offset], &[])?;
            value = builder.node(scope, "Mul", &[&value.name, &scale], &[])?;
        }
        value = layer.to_onnx(&mut builder, "", &value)?;
        if value.name == INPUT {
            value = builder.node("", "Identity", &[INPUT], &[])?;
        }
        if output_name.is_empty() || builder.shapes.contains_key(output_name) {
            return Err(Error::Setting {
                setting: "output name",
                value: format!("{output_name:?}"),
                expected: "a name that nothing else in the graph has, for example \"logits\"".into(),
            });
        }
        let GraphBuilder { mut nodes, weights, .. } = builder;
        for node in &mut nodes {
            for name in node.inputs.iter_mut().chain([&mut node.output.name]) {
                if *name == value.name {
                    *name = output_name.to_owned();
                }
            }
        }
        let output = Value { name: output_name.to_owned(), shape: value.shape };
        let graph = Self { input, output, nodes, weights };
        structure::verify(&graph).map_err(|reason| Error::NoOnnxForm { layer: "the model".into(), reason })?;
        Ok(graph)
    }

    /// The number of features that the graph takes.
    pub fn input_width(&self) -> usize {
        self.input.width().unwrap_or_default()
    }

    /// The number of features that the graph returns.
    pub fn output_width(&self) -> usize {
        self.output.width().unwrap_or_default()
    }

    /// The name of the output.
    pub fn output_name(&self) -> &str {
        &self.output.name
    }

    /// The tensors stored in the graph, in order: name, shape, row-major numbers.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.weights.iter().map(|w| (w.name.as_str(), w.shape.as_slice(), w.data.as_slice()))
    }

    /// How many numbers are stored in the graph: parameters, running statistics, normalisation and constants.
    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|w| w.data.len()).sum()
    }

    /// SHA-256, in hexadecimal, of the graph's bytes in the file: structure and weights, without metadata.
    pub fn sha256(&self) -> String {
        encode::sha256(&encode::graph_bytes(self))
    }

    /// The bytes of an ONNX file with these metadata entries and one that is added: [`GRAPH_SHA256`](super::GRAPH_SHA256).
    pub fn to_bytes(&self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        encode::model_bytes(self, metadata)
    }

    /// Reads the bytes of a file that [`to_bytes`](Self::to_bytes) wrote: the graph and the metadata. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::OnnxFile`] if the bytes are anything else.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<(Self, BTreeMap<String, String>), Error> {
        decode::model(bytes).map_err(|reason| Error::OnnxFile { path: path.into(), reason })
    }

    /// Evaluates the graph in f64: `input` holds `rows` rows of [`input_width`](Self::input_width) features.
    ///
    /// # Errors
    /// [`Error::Setting`] if `input` has another length.
    pub fn evaluate_f64(&self, input: &[f64], rows: usize) -> Result<Vec<f64>, Error> {
        expect_len(input.len(), rows, self.input_width())?;
        let no_form = |reason| Error::NoOnnxForm { layer: "the model".into(), reason };
        let mut values = reference::evaluate(self, input, rows).map_err(no_form)?;
        Ok(values.remove(&self.output.name).unwrap_or_default().values)
    }
}

/// Refuses an input that is not `rows` rows of `width` features.
pub(super) fn expect_len(len: usize, rows: usize, width: usize) -> Result<(), Error> {
    if rows > 0 && rows.checked_mul(width) == Some(len) {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "the model's input",
        value: format!("{len} numbers for {rows} rows"),
        expected: format!("{width} numbers per row, and at least one row"),
    })
}

/// Collects the nodes and weights that layers add.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    nodes: Vec<Node>,
    weights: Vec<Weight>,
    /// Of every weight and value: ONNX has one name space for both.
    shapes: BTreeMap<String, Vec<Dim>>,
}

impl GraphBuilder {
    /// Stores a tensor under the name `scope.name` and returns that name. `data` is row-major.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if the name is taken or `data` does not fill `shape`.
    pub fn weight(&mut self, scope: &str, name: &str, shape: &[usize], data: Vec<f32>) -> Result<String, Error> {
        let name = join(scope, name);
        let no_form = |reason| Error::NoOnnxForm { layer: format!("the tensor {name}"), reason };
        if data.len() != shape.iter().product::<usize>() {
            return Err(no_form(format!("{} numbers do not fill the shape {shape:?}", data.len())));
        }
        if self.shapes.contains_key(&name) {
            return Err(no_form("another tensor or value has that name".into()));
        }
        self.shapes.insert(name.clone(), shape.iter().copied().map(Dim::Fixed).collect());
        self.weights.push(Weight { name: name.clone(), shape: shape.to_vec(), data });
        Ok(name)
    }

    /// Adds an ONNX operator (opset 17) on weights and values that exist, and returns its output. The node is named after scope and
    /// operator.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if an input does not exist, the operator does not fit its inputs, or the f64 evaluation does not know it:
    /// what it cannot evaluate cannot be checked.
    pub fn node(
        &mut self,
        scope: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Result<Value, Error> {
        let base = join(scope, &op.to_lowercase());
        let no_form = |reason| Error::NoOnnxForm { layer: format!("the node {base}"), reason };
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let operator = Operator::parse(op, &attributes).map_err(no_form)?;
        let mut shapes = Vec::with_capacity(inputs.len());
        for &input in inputs {
            shapes.push(self.shapes.get(input).ok_or_else(|| no_form(format!("its input {input:?} does not exist")))?);
        }
        let shape = operator.output_shape(&shapes).map_err(no_form)?;
        let mut name = base.clone();
        let mut uses = 1;
        while self.shapes.contains_key(&name) {
            uses += 1;
            name = format!("{base}_{uses}");
        }
        self.shapes.insert(name.clone(), shape.clone());
        let output = Value { name: name.clone(), shape };
        self.nodes.push(Node {
            name,
            op: op.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: output.clone(),
            attributes,
        });
        Ok(output)
    }
}
