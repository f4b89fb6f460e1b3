//! Fields in a query that Rust writes.

use std::marker::PhantomData;

use super::ast::{self, Check, Direction, Literal, Operator, Part, Path, is_word};
use super::condition::Condition;
use super::kind::{Exact, Number, Points, Setting, Single, Text, Textual};
use super::operand::Operand;
use super::request::Order;

/// The metric of this name.
pub fn metric(name: impl Into<String>) -> Metric {
    Metric(path(["metrics".to_owned(), name.into()]))
}

/// The parameter of this name.
pub fn param(name: impl Into<String>) -> Field<Setting> {
    Field::new(path(["params".to_owned(), name.into()]))
}

/// The tag of this name.
pub fn tag(name: impl Into<String>) -> Field<Text> {
    Field::new(path(["tags".to_owned(), name.into()]))
}

/// A metric, of which a query asks for a number or for its points.
#[derive(Debug, Clone)]
pub struct Metric(Path);

macro_rules! statistics {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        pub fn $name(self) -> Field<Number> {
            self.part(stringify!($name))
        }
    )+};
}

impl Metric {
    statistics! {
        /// The value that was logged last.
        last
        /// The value that was logged first.
        first
        /// The least value.
        min
        /// The greatest value.
        max
        /// The arithmetic mean.
        mean
        /// How many points there are.
        count
        /// How many of them are NaN.
        nan_count
        /// The step of the least value.
        argmin
        /// The step of the greatest value.
        argmax
    }

    /// The newest value that was logged at or before this step; null where there is none.
    pub fn at(mut self, step: u64) -> Field<Number> {
        self.0.at = Some(Operand::<Number>::from(step).into_literal());
        Field::new(self.0)
    }

    /// Every point: a check is true when it is true of one of them, and unknown where the run lacks
    /// the metric.
    pub fn any(self) -> Field<Points> {
        Field { points: true, ..Field::new(self.0) }
    }

    fn part(mut self, name: &str) -> Field<Number> {
        self.0.parts.push(Part { text: name.to_owned(), quoted: false, span: 0..0 });
        Field::new(self.0)
    }
}

/// A field of runs, whose values are what `K` says.
#[derive(Debug, Clone)]
#[must_use]
pub struct Field<K> {
    path: Path,
    /// Whether it is asked about each point.
    points: bool,
    kind: PhantomData<K>,
}

impl<K> Field<K> {
    pub(super) fn new(path: Path) -> Field<K> {
        Field { path, points: false, kind: PhantomData }
    }

    fn test(self, negated: bool, check: Check) -> Condition {
        let Field { path, points, .. } = self;
        Condition(match (points, negated) {
            (true, _) => ast::Condition::Any(ast::Points { path, negated, check }),
            (false, false) => ast::Condition::Test(path, check),
            (false, true) => ast::Condition::Not(Box::new(ast::Condition::Test(path, check))),
        })
    }

    fn compare(self, operator: Operator, value: impl Into<Operand<K>>) -> Condition {
        self.test(false, Check::Compare(operator, value.into().into_literal()))
    }

    /// `<`
    pub fn less_than(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::Less, value)
    }

    /// `<=`
    pub fn at_most(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::LessOrEqual, value)
    }

    /// `>`
    pub fn greater_than(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::Greater, value)
    }

    /// `>=`
    pub fn at_least(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::GreaterOrEqual, value)
    }

    /// `between LOW and HIGH`, both included.
    pub fn between(self, low: impl Into<Operand<K>>, high: impl Into<Operand<K>>) -> Condition {
        self.test(false, Check::Between(low.into().into_literal(), high.into().into_literal()))
    }

    /// `not between LOW and HIGH`
    pub fn not_between(self, low: impl Into<Operand<K>>, high: impl Into<Operand<K>>) -> Condition {
        self.test(true, Check::Between(low.into().into_literal(), high.into().into_literal()))
    }
}

impl<K: Exact> Field<K> {
    /// `=`
    pub fn equals(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::Equal, value)
    }

    /// `!=`
    pub fn not_equals(self, value: impl Into<Operand<K>>) -> Condition {
        self.compare(Operator::NotEqual, value)
    }

    /// `in (…)`. Without a value it is refused when the query runs.
    pub fn one_of<V: Into<Operand<K>>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        self.test(false, Check::In(literals(values)))
    }

    /// `not in (…)`. Without a value it is refused when the query runs.
    pub fn none_of<V: Into<Operand<K>>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        self.test(true, Check::In(literals(values)))
    }
}

impl<K: Textual> Field<K> {
    /// `like`: `%` in the pattern is any text and `_` any character; `\%`, `\_` and `\\` are the
    /// characters themselves, and any other backslash is refused when the query runs. Upper and
    /// lower case differ.
    pub fn like(self, pattern: &str) -> Condition {
        self.test(false, Check::Like(text(pattern)))
    }

    /// `ilike`: as [`like`](Field::like), upper and lower case being equal.
    pub fn ilike(self, pattern: &str) -> Condition {
        self.test(false, Check::Ilike(text(pattern)))
    }

    /// `contains`: whether the text has this part.
    pub fn contains(self, part: &str) -> Condition {
        self.test(false, Check::Contains(text(part)))
    }
}

impl<K: Single> Field<K> {
    /// `is null`: whether the run lacks the field.
    pub fn is_null(self) -> Condition {
        self.test(false, Check::IsNull)
    }

    /// `is not null`: whether the run has the field.
    pub fn is_not_null(self) -> Condition {
        self.test(true, Check::IsNull)
    }

    /// The least value first.
    pub fn ascending(self) -> Order {
        Order(self.path, Direction::Ascending)
    }

    /// The greatest value first.
    pub fn descending(self) -> Order {
        Order(self.path, Direction::Descending)
    }
}

fn literals<K, V: Into<Operand<K>>>(values: impl IntoIterator<Item = V>) -> Vec<Literal> {
    values.into_iter().map(|value| value.into().into_literal()).collect()
}

fn text(text: &str) -> Literal {
    Operand::<Text>::from(text).into_literal()
}

/// The path of these names, in backticks where they are no words. Behind a dot even a word of the
/// language is a name.
pub(super) fn path<const N: usize>(names: [String; N]) -> Path {
    let parts = names.into_iter().enumerate().map(|(at, text)| Part {
        quoted: at > 0 && (text.is_empty() || !text.chars().all(is_word)),
        text,
        span: 0..0,
    });
    Path { parts: parts.collect(), at: None, span: 0..0 }
}
