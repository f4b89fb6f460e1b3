//! From a [`Query`] to its text. Reading the text gives the same query again.

use std::fmt::Write;

use super::ast::{
    Check, Condition, Constant, Direction, Literal, MAX_DEPTH, Operator, Part, Path, Points, Query,
    Span, TOO_DEEP, is_word,
};
use super::error::QueryError;

impl Query {
    /// The query's text, and the query with the places that its parts have there.
    ///
    /// # Errors
    /// It is nested too deeply.
    pub(crate) fn render(mut self) -> Result<(String, Query), QueryError> {
        let mut writer = Writer::default();
        writer.query(&mut self);
        match writer.too_deep {
            None => Ok((writer.text, self)),
            Some(span) => Err(QueryError::new(&writer.text, span, TOO_DEEP)),
        }
    }

    /// The text alone. Where it is nested too deeply, an ellipsis stands for what is inside.
    pub(crate) fn text(mut self) -> String {
        let mut writer = Writer::default();
        writer.query(&mut self);
        writer.text
    }
}

/// What a condition stands in, as far as parentheses depend on it.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nothing,
    Or,
    /// `and` or `not`.
    Tight,
}

#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
    too_deep: Option<Span>,
}

impl Writer {
    fn query(&mut self, query: &mut Query) {
        if let Some(condition) = &mut query.condition {
            self.condition(condition, Within::Nothing);
        }
        for (at, (path, direction)) in query.order.iter_mut().enumerate() {
            if at > 0 {
                self.push(", ");
            } else {
                self.word("order by ");
            }
            self.path(path);
            if *direction == Direction::Descending {
                self.push(" desc");
            }
        }
        if let Some(limit) = query.limit {
            self.word("limit ");
            self.display(limit);
        }
    }

    fn condition(&mut self, condition: &mut Condition, within: Within) {
        match condition {
            Condition::And(all) if within == Within::Tight => {
                self.nested("(", ")", |writer| writer.and(all))
            }
            Condition::And(all) => self.and(all),
            Condition::Or(all) if within != Within::Nothing => {
                self.nested("(", ")", |writer| writer.or(all))
            }
            Condition::Or(all) => self.or(all),
            Condition::Not(inner) => match &mut **inner {
                Condition::Test(path, check) if !matches!(check, Check::Compare(..)) => {
                    self.path(path);
                    self.check(check, true);
                }
                inner => self.nested("not ", "", |writer| writer.condition(inner, Within::Tight)),
            },
            Condition::Test(path, check) => {
                self.path(path);
                self.check(check, false);
            }
            Condition::Any(Points { path, negated, check }) => {
                self.push("any(");
                self.path(path);
                self.check(check, *negated);
                self.push(")");
            }
        }
    }

    fn and(&mut self, all: &mut [Condition]) {
        self.list(all, " and ", |writer, condition| writer.condition(condition, Within::Tight));
    }

    fn or(&mut self, all: &mut [Condition]) {
        self.list(all, " or ", |writer, condition| writer.condition(condition, Within::Or));
    }

    fn nested(&mut self, open: &str, close: &str, inner: impl FnOnce(&mut Writer)) {
        let start = self.text.len();
        self.push(open);
        if self.depth == MAX_DEPTH {
            self.push("…");
            self.too_deep.get_or_insert(start..self.text.len());
        } else {
            self.depth += 1;
            inner(self);
            self.depth -= 1;
        }
        self.push(close);
    }

    fn check(&mut self, check: &mut Check, negated: bool) {
        self.push(match (&*check, negated) {
            (Check::Compare(..), _) => " ",
            (Check::IsNull, false) => " is null",
            (Check::IsNull, true) => " is not null",
            (_, false) => " ",
            (_, true) => " not ",
        });
        match check {
            Check::Compare(operator, value) => {
                self.push(match operator {
                    Operator::Equal => "= ",
                    Operator::NotEqual => "!= ",
                    Operator::Less => "< ",
                    Operator::LessOrEqual => "<= ",
                    Operator::Greater => "> ",
                    Operator::GreaterOrEqual => ">= ",
                });
                self.literal(value);
            }
            Check::Between(low, high) => {
                self.push("between ");
                self.literal(low);
                self.push(" and ");
                self.literal(high);
            }
            Check::In(values) => {
                self.push("in (");
                self.list(values, ", ", Writer::literal);
                self.push(")");
            }
            Check::Like(value) => {
                self.push("like ");
                self.literal(value);
            }
            Check::Ilike(value) => {
                self.push("ilike ");
                self.literal(value);
            }
            Check::Contains(value) => {
                self.push("contains ");
                self.literal(value);
            }
            Check::IsNull => {}
        }
    }

    fn path(&mut self, path: &mut Path) {
        let start = self.text.len();
        self.list(&mut path.parts, ".", Writer::part);
        if let Some(step) = &mut path.at {
            self.push(".at(");
            self.literal(step);
            self.push(")");
        }
        path.span = start..self.text.len();
    }

    fn part(&mut self, part: &mut Part) {
        let start = self.text.len();
        if part.quoted {
            self.push(&quoted('`', &part.text));
        } else {
            self.push(&part.text);
        }
        part.span = start..self.text.len();
    }

    fn literal(&mut self, literal: &mut Literal) {
        let start = self.text.len();
        match &literal.value {
            Constant::Int(value) => self.display(value),
            // `{:?}` keeps the point of 1.0, and so its type.
            Constant::Float(value) if value.is_finite() => self.display(format_args!("{value:?}")),
            // The sign of a NaN means nothing.
            Constant::Float(value) if value.is_nan() => self.push("nan"),
            Constant::Float(value) => self.display(value),
            Constant::Bool(value) => self.display(value),
            Constant::Text(text) => self.push(&quoted('\'', text)),
            Constant::Ago(0) => self.push("now"),
            Constant::Ago(seconds) => self.ago(*seconds),
        }
        literal.span = start..self.text.len();
    }

    fn ago(&mut self, mut seconds: u64) {
        self.push("now - ");
        for (unit, length) in UNITS {
            if seconds >= length {
                self.display(seconds / length);
                self.display(unit);
                seconds %= length;
            }
        }
    }

    fn list<T>(
        &mut self,
        all: &mut [T],
        separator: &str,
        mut write: impl FnMut(&mut Writer, &mut T),
    ) {
        for (at, item) in all.iter_mut().enumerate() {
            if at > 0 {
                self.push(separator);
            }
            write(self, item);
        }
    }

    /// After a space, unless it is the first.
    fn word(&mut self, word: &str) {
        if !self.text.is_empty() {
            self.push(" ");
        }
        self.push(word);
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        // Writing into a string cannot fail.
        let _ = write!(self.text, "{value}");
    }
}

/// Text between two quotes, in which the quote itself is doubled.
pub(super) fn quoted(quote: char, text: &str) -> String {
    let mut quoted = String::from(quote);
    for c in text.chars() {
        quoted.push(c);
        if c == quote {
            quoted.push(c);
        }
    }
    quoted.push(quote);
    quoted
}

/// A field of runs with a name of their own, in backticks where it needs them.
pub(super) fn field(prefix: &str, name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| is_word(c) || c == '.') {
        format!("{prefix}.{name}")
    } else {
        format!("{prefix}.{}", quoted('`', name))
    }
}

/// Units of time with their length in seconds, the longest first.
pub(super) const UNITS: [(char, u64); 5] =
    [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

#[cfg(test)]
mod tests;
