//! What is wrong with a query, and where.

use std::fmt;

use super::ast::Span;

/// What is wrong with a query. Its text is one line that says it, the line of the query, and a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    query: String,
    span: Span,
    message: String,
}

impl QueryError {
    pub(crate) fn new(query: &str, span: Span, message: impl Into<String>) -> QueryError {
        // A name may hold a line break.
        let one_line = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        QueryError { query: query.to_owned(), span, message: message.into().chars().map(one_line).collect() }
    }

    /// The place that is wrong, in bytes of the query; empty at the end of the query when something is missing there.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.query.get(..self.span.start).unwrap_or(&self.query);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.query[line_start..].lines().next().unwrap_or_default();
        let indent = before[line_start..].chars().count();
        let width = self
            .query
            .get(self.span.clone())
            .map_or(0, |place| place.lines().next().unwrap_or_default().chars().count());
        // A tab is as wide as the terminal likes; a space keeps the caret under its character.
        let line = line.replace('\t', " ");
        write!(f, "read the query: {}\n  {line}\n  {:indent$}{}", self.message, "", "^".repeat(width.max(1)))
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        let error = QueryError::new("params.ä = 1\n\tand lsos < 1", 19..23, "no");
        assert_eq!(error.to_string(), "read the query: no\n   and lsos < 1\n       ^^^^");
        let end = QueryError::new("seed =", 6..6, "no");
        assert_eq!(end.to_string(), "read the query: no\n  seed =\n        ^");
    }
}
