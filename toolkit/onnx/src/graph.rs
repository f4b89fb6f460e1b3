//! A computation as plain data: nodes in the order in which they run, the values between them, and the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::array::Array;
use super::builder::GraphBuilder;
use super::reference::{self, Margined};
use super::{decode, encode, structure};
use crate::Error;

pub use super::value::{BATCH, Dim, Value, Values};

/// The name of the input of a graph that takes rows of features.
pub const INPUT: &str = "input";

/// A model in ONNX's terms: what is written to the file, and nothing about the run it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(super) inputs: Vec<Value>,
    pub(super) outputs: Vec<Value>,
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<Weight>,
    pub(super) integers: Vec<Integers>,
}

/// An attribute of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `FLOAT`.
    Float(f32),
    /// `INT`.
    Int(i64),
    /// `INTS`.
    Ints(Vec<i64>),
    /// `STRING`.
    Text(String),
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

/// A constant row of integers: an initializer too.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Integers {
    pub name: String,
    pub data: Vec<i64>,
}

impl Graph {
    /// The graph of what `layer` adds for inputs of `width` features, with its output named `output_name`.
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
        layer: impl FnOnce(&mut GraphBuilder, &Value) -> Result<Value, Error>,
        normalization: Option<(&[f32], &[f32])>,
    ) -> Result<Self, Error> {
        if width == 0 || width > structure::MAX_WIDTH {
            return Err(Error::Setting {
                setting: "width",
                value: width.to_string(),
                expected: format!("between 1 and {}", structure::MAX_WIDTH),
            });
        }
        let input = Value::f32(INPUT, [BATCH.into(), width.into()]);
        let mut builder = GraphBuilder::default();
        builder.input(&input);
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
        let output = layer(&mut builder, &value)?;
        Self::finish(builder, vec![input], vec![output], &[output_name])
    }

    /// The graph of what `layer` adds for inputs of any rank: `inputs` has one value, or as many as the tuple of tensors that the layer
    /// takes, and `outputs` names what it returns.
    ///
    /// ```
    /// use trainbook_onnx::{BATCH, Graph, OnnxError, SEQUENCE, Value, Values};
    ///
    /// let input = Value::f32("input", [BATCH.into(), SEQUENCE.into(), 4.into()]);
    /// let graph = Graph::build_on(&[input.clone()], &["weights", "values"], |graph, _| {
    ///     let weights = graph.node("0", "Softmax", &[&input.name], &[])?;
    ///     let values = graph.node("1", "Tanh", &[&input.name], &[])?;
    ///     Ok(Values::Tuple(vec![Values::One(weights), Values::One(values)]))
    /// })?;
    /// assert_eq!(graph.signature(), "input [batch, sequence, 4] → weights [batch, sequence, 4], values [batch, sequence, 4]");
    /// # Ok::<(), OnnxError>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if a layer cannot be expressed; [`Error::Setting`] for no input, input names that are equal or empty, or
    /// output names that are too few, too many, empty or in use.
    pub fn build_on(
        inputs: &[Value],
        outputs: &[&str],
        layer: impl FnOnce(&mut GraphBuilder, &Values) -> Result<Values, Error>,
    ) -> Result<Self, Error> {
        let mut builder = GraphBuilder::default();
        for input in inputs {
            if input.name.is_empty() || builder.has(&input.name) {
                return Err(Error::Setting {
                    setting: "input name",
                    value: format!("{:?}", input.name),
                    expected: "a name that no other input has".into(),
                });
            }
            builder.input(input);
        }
        let given = match inputs {
            [input] => Values::One(input.clone()),
            _ => Values::Tuple(inputs.iter().cloned().map(Values::One).collect()),
        };
        let returned = layer(&mut builder, &given)?.flatten();
        Self::finish(builder, inputs.to_vec(), returned, outputs)
    }

    /// Gives the outputs their names.
    fn finish(
        mut builder: GraphBuilder,
        inputs: Vec<Value>,
        returned: Vec<Value>,
        names: &[&str],
    ) -> Result<Self, Error> {
        if names.len() != returned.len() || inputs.is_empty() {
            return Err(Error::Setting {
                setting: if inputs.is_empty() { "inputs" } else { "output names" },
                value: if inputs.is_empty() { "none".into() } else { format!("{names:?}") },
                expected: if inputs.is_empty() {
                    "at least one".into()
                } else {
                    format!("{} names, because the model returns {0} tensors", returned.len())
                },
            });
        }
        let mut outputs = Vec::with_capacity(names.len());
        let mut taken = BTreeSet::new();
        for (&name, mut value) in names.iter().zip(returned) {
            // An input, or one tensor under two names, is no node's own output.
            if !taken.insert(value.name.clone()) || inputs.iter().any(|input| input.name == value.name) {
                value = builder.node("", "Identity", &[&value.name], &[])?;
                taken.insert(value.name.clone());
            }
            if name.is_empty() || builder.has(name) || names.iter().filter(|other| **other == name).count() > 1 {
                return Err(Error::Setting {
                    setting: "output name",
                    value: format!("{name:?}"),
                    expected: "a name that nothing else in the graph has, for example \"logits\"".into(),
                });
            }
            outputs.push((value, name));
        }
        let GraphBuilder { mut nodes, weights, integers, .. } = builder;
        for (value, output_name) in &outputs {
            for node in &mut nodes {
                for name in node.inputs.iter_mut().chain([&mut node.output.name]) {
                    if *name == value.name {
                        (*output_name).clone_into(name);
                    }
                }
            }
        }
        let outputs = outputs.into_iter().map(|(value, name)| Value { name: name.to_owned(), ..value }).collect();
        let graph = Self { inputs, outputs, nodes, weights, integers };
        structure::verify(&graph).map_err(|reason| Error::NoOnnxForm { layer: "the model".into(), reason })?;
        Ok(graph)
    }

    /// What the graph takes, in order.
    pub fn inputs(&self) -> &[Value] {
        &self.inputs
    }

    /// What the graph returns, in order.
    pub fn outputs(&self) -> &[Value] {
        &self.outputs
    }

    /// Both in one line: "input [batch, 5] → logits [batch, 3]".
    pub fn signature(&self) -> String {
        let list = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("{} → {}", list(&self.inputs), list(&self.outputs))
    }

    /// How many numbers one row of the first input has; 0 if that depends on a length that is chosen at every run.
    pub fn input_width(&self) -> usize {
        self.inputs.first().and_then(Value::row_len).unwrap_or_default()
    }

    /// How many numbers one row of the first output has; 0 if that depends on a length that is chosen at every run.
    pub fn output_width(&self) -> usize {
        self.outputs.first().and_then(Value::row_len).unwrap_or_default()
    }

    /// The name of the first output.
    pub fn output_name(&self) -> &str {
        self.outputs.first().map_or("", |output| &output.name)
    }

    /// The tensors stored in the graph, in order: name, shape, row-major numbers.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.weights.iter().map(|w| (w.name.as_str(), w.shape.as_slice(), w.data.as_slice()))
    }

    /// How many floats are stored in the graph: parameters, running statistics, normalisation and constants.
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

    /// Evaluates in f64 a graph that takes one array of floats and returns one: `input` holds `rows` rows of
    /// [`input_width`](Self::input_width) numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if the graph takes something else or `input` has another length.
    pub fn evaluate_f64(&self, input: &[f64], rows: usize) -> Result<Vec<f64>, Error> {
        let shape = rows_shape(&self.inputs, input.len(), rows)?;
        let outputs = self.evaluate(vec![Margined::exact(shape, input.to_vec())])?;
        Ok(outputs.into_iter().next().unwrap_or_default())
    }

    /// Evaluates the graph in f64: its outputs, each row-major.
    ///
    /// # Errors
    /// [`Error::Setting`] if the arrays are not what the graph takes.
    pub fn evaluate_f64_on(&self, inputs: &[Array]) -> Result<Vec<Vec<f64>>, Error> {
        Array::expect(inputs, &self.inputs)?;
        self.evaluate(inputs.iter().map(|input| Margined::exact(input.shape.clone(), input.widen())).collect())
    }

    fn evaluate(&self, inputs: Vec<Margined>) -> Result<Vec<Vec<f64>>, Error> {
        let no_form = |reason| Error::NoOnnxForm { layer: "the model".into(), reason };
        let mut values = reference::evaluate(self, inputs).map_err(no_form)?;
        Ok(self.outputs.iter().map(|output| values.remove(&output.name).unwrap_or_default().values).collect())
    }
}

/// The shape of `rows` rows, for a graph that takes nothing but one array of floats whose rows have a fixed length.
pub(super) fn rows_shape(inputs: &[Value], len: usize, rows: usize) -> Result<Vec<usize>, Error> {
    let setting = "the model's input";
    let row = match inputs {
        [input] if input.element == super::value::Element::F32 => input.row_len(),
        _ => None,
    };
    let (Some(row), [input]) = (row, inputs) else {
        let expected: Vec<_> = inputs.iter().map(ToString::to_string).collect();
        return Err(Error::Setting {
            setting,
            value: "rows of numbers".into(),
            expected: format!("arrays, because the model takes {}", expected.join(", ")),
        });
    };
    if rows == 0 || rows.checked_mul(row) != Some(len) {
        return Err(Error::Setting {
            setting,
            value: format!("{len} numbers for {rows} rows"),
            expected: format!("{row} numbers per row, and at least one row"),
        });
    }
    Ok([rows].into_iter().chain(input.shape[1..].iter().filter_map(Dim::size)).collect())
}
