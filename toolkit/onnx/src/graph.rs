//! A computation as plain data: nodes in the order in which they run, the values between them, and
//! the weights.

use std::collections::BTreeMap;

use super::value::Element;
use crate::Error;

pub use super::attribute::Attribute;
pub use super::value::{Dim, Value};

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

/// One operation: an ONNX operator of the default domain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    /// At least one.
    pub outputs: Vec<Value>,
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
        let list = |values: &[Value]| {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        format!("{} → {}", list(&self.inputs), list(&self.outputs))
    }

    /// How many numbers one row of the first input has; 0 if that depends on a length that is
    /// chosen at every run.
    pub fn input_width(&self) -> usize {
        self.inputs.first().and_then(Value::row_len).unwrap_or_default()
    }

    /// How many numbers one row of the first output has; 0 if that depends on a length that is
    /// chosen at every run.
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

    /// How many floats are stored in the graph: parameters, running statistics, normalisation and
    /// constants.
    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|w| w.data.len()).sum()
    }
}

impl Graph {
    /// What the nodes give, in order, as far as a run can return it.
    pub(super) fn values_between(&self) -> impl Iterator<Item = &Value> {
        let values = self.nodes.iter().flat_map(|node| &node.outputs);
        values.filter(|value| value.element != Element::Bool)
    }
}

/// The shape of `rows` rows, for a graph that takes nothing but one array of floats whose rows have
/// a fixed length.
pub(super) fn rows_shape(inputs: &[Value], len: usize, rows: usize) -> Result<Vec<usize>, Error> {
    let setting = "the model's input";
    let row = match inputs {
        [input] if input.element == Element::F32 => input.row_len(),
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
