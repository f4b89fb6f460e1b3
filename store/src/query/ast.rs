//! A query as it was written, with the place of everything that can be wrong about it.

use std::ops::Range;

/// Byte offsets into the query.
pub(crate) type Span = Range<usize>;

/// A whole query.
#[derive(Debug, Clone, Default, PartialEq)]
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
    Any(Points),
}

/// `any(…)`: a question about each point of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Points {
    pub(crate) path: Path,
    /// Whether a `not` stands before `between`, `in` and their like. It turns the answer for a
    /// point, not that for the run.
    pub(crate) negated: bool,
    pub(crate) check: Check,
}

/// What is asked about a field. The negated forms are a [`Condition::Not`] around these.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    Compare(Operator, Literal),
    Between(Literal, Literal),
    In(Vec<Literal>),
    Like(Literal),
    Ilike(Literal),
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

/// A field as it was written: the parts between the dots, and the step of `.at(STEP)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<Part>,
    pub(crate) at: Option<Literal>,
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
    pub(crate) value: Constant,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    /// Wide enough for every seed and every parameter.
    Int(i128),
    Float(f64),
    Bool(bool),
    /// A text, or a date where the field is a time.
    Text(String),
    /// So many seconds before now.
    Ago(u64),
}

/// Words that end a field or a value, and so are no field without backticks.
pub(super) const RESERVED: [&str; 11] =
    ["and", "or", "not", "between", "like", "ilike", "contains", "in", "is", "order", "limit"];

/// Deeper nesting is refused, because every level takes stack.
pub(super) const MAX_DEPTH: usize = 64;

/// What is said about it.
pub(super) const TOO_DEEP: &str = "it is nested more than 64 levels deep";

/// What a word consists of.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/')
}
