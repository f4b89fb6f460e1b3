//! What flows through a graph, by name: numbers of one kind with a shape.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the dimension whose size is chosen by the caller at every run; always the first.
pub const BATCH: &str = "batch";
/// The name of the length of sequences, chosen at every run.
pub const SEQUENCE: &str = "sequence";
/// The name of the length of a second kind of sequence, such as what a transformer's decoder
/// attends to.
pub const MEMORY: &str = "memory";

/// The largest number of numbers in one row of a value. A file that asks for more is damaged or
/// hostile: a check would run out of memory.
pub(super) const MAX_WIDTH: usize = 1 << 20;

/// One dimension of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the graph is built.
    Fixed(usize),
    /// Chosen at every run, and known by this name.
    Named(String),
}

impl Dim {
    /// The size, if it is known when the graph is built.
    pub fn size(&self) -> Option<usize> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Named(_) => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// The kind of a value's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// `FLOAT`, f32.
    F32,
    /// `INT64`: indices, such as the tokens that an embedding takes.
    I64,
    /// `BOOL`: what a comparison gives. Only between nodes, never an input or output of a graph.
    Bool,
}

impl Element {
    /// Behind a shape, for messages.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::F32 => "",
            Self::I64 => " of int64",
            Self::Bool => " of bool",
        }
    }

    /// Such numbers, for messages.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::F32 => "floats",
            Self::I64 => "integers of int64",
            Self::Bool => "bools",
        }
    }
}

/// A value that flows between nodes, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Unique in the graph.
    pub name: String,
    /// What its numbers are.
    pub element: Element,
    /// `[batch, …]`: `[batch, features]`, `[batch, sequence, features]`,
    /// `[batch, channels, height, width]`, …
    pub shape: Vec<Dim>,
}

impl Value {
    /// A value of floats.
    ///
    /// ```
    /// use trainbook_onnx::{BATCH, SEQUENCE, Value};
    /// let value = Value::f32("input", [BATCH.into(), SEQUENCE.into(), 16.into()]);
    /// assert_eq!(value.to_string(), "input [batch, sequence, 16]");
    /// ```
    pub fn f32(name: impl Into<String>, shape: impl Into<Vec<Dim>>) -> Self {
        Self { name: name.into(), element: Element::F32, shape: shape.into() }
    }

    /// A value of integers.
    pub fn i64(name: impl Into<String>, shape: impl Into<Vec<Dim>>) -> Self {
        Self { name: name.into(), element: Element::I64, shape: shape.into() }
    }

    /// The number of features, if this is `[batch, features]`, of floats.
    pub fn width(&self) -> Option<usize> {
        match (self.element, self.shape.as_slice()) {
            (Element::F32, [Dim::Named(name), Dim::Fixed(width)]) if name == BATCH => Some(*width),
            _ => None,
        }
    }

    /// Whether the rows of a batch come first.
    pub fn is_batched(shape: &[Dim]) -> bool {
        matches!(shape.first(), Some(Dim::Named(name)) if name == BATCH)
    }

    /// How many numbers belong to one row of the batch, if that is known when the graph is built.
    pub fn row_len(&self) -> Option<usize> {
        let rest = self.shape.get(1..)?;
        rest.iter().try_fold(1_usize, |product, dim| product.checked_mul(dim.size()?))
    }

    /// A shape without names, for messages.
    pub(super) fn sizes(shape: &[usize]) -> String {
        Self::shown(&shape.iter().map(|&size| Dim::Fixed(size)).collect::<Vec<_>>())
    }

    /// The shape, for messages.
    pub(super) fn shown(shape: &[Dim]) -> String {
        let dims: Vec<_> = shape.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.name, Self::shown(&self.shape), self.element.suffix())
    }
}

/// What passes from layer to layer: one value, or several as in dfdx's tuples of tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// One tensor.
    One(Value),
    /// A tuple.
    Tuple(Vec<Values>),
}

impl Values {
    /// All values, in order.
    pub fn flatten(self) -> Vec<Value> {
        match self {
            Self::One(value) => vec![value],
            Self::Tuple(parts) => parts.into_iter().flat_map(Self::flatten).collect(),
        }
    }
}

impl From<Value> for Values {
    fn from(value: Value) -> Self {
        Self::One(value)
    }
}
