//! A query as it was written, with the place of everything that can be wrong about it.

use std::ops::Range;

/// Byte offsets into the query.
pub(crate) type Span = Range<usize>;

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) condition: Option<Condition>,
    pub(crate) order: Vec<(Path, Direction)>,
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Test(Path, Check),
}

/// What is asked about a field. The negated forms are a [`Condition::Not`] around these.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    Compare(Operator, Literal),
    Between(Literal, Literal),
    In(Vec<Literal>),
    Like(Literal),
    Contains(Literal),
    IsNull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// A field as it was written: the parts between the dots.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<Part>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) text: String,
    /// Whether it stood in backticks, and so is a name and nothing else.
    pub(crate) quoted: bool,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    pub(crate) value: Cell,
    pub(crate) span: Span,
}

/// A value that can be compared: of a literal, or of a run's field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Wide enough for every seed and every parameter.
    Int(i128),
    Float(f64),
    Bool(bool),
    Text(String),
}
