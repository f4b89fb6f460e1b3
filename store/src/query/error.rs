//! What is wrong with a query, and where.

use std::fmt;

use super::ast::Span;

/// How many characters of a line are shown.
const WIDTH: usize = 160;

/// What is wrong with a query. Its text is one line that says it, the line of the query, and a
/// caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    query: String,
    span: Span,
    message: String,
}

impl QueryError {
    pub(crate) fn new(query: &str, span: Span, message: impl Into<String>) -> QueryError {
        // A name may hold a line break.
        let one_line =
            |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        QueryError {
            query: query.to_owned(),
            span,
            message: message.into().chars().map(one_line).collect(),
        }
    }

    /// The place that is wrong, in bytes of the query; empty at the end of the query when something
    /// is missing there.
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
        // Of a line that no terminal holds, what is around the place.
        let skipped =
            if line.chars().count() > WIDTH { indent.saturating_sub(WIDTH / 2) } else { 0 };
        let shown = line.chars().skip(skipped).take(WIDTH);
        // A tab is as wide as the terminal likes; a space keeps the caret under its character.
        let shown: String = shown.map(|c| if c == '\t' { ' ' } else { c }).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let behind = if line.chars().count() > skipped + WIDTH { "…" } else { "" };
        let indent = indent - skipped + before.chars().count();
        let caret = "^".repeat(width.clamp(1, WIDTH));
        write!(
            f,
            "read the query: {}\n  {before}{shown}{behind}\n  {:indent$}{caret}",
            self.message, ""
        )
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

    #[test]
    fn of_a_long_line_the_surroundings_are_shown() {
        let query = format!("seed in ({}'é', {}8)", "7, ".repeat(500), "9, ".repeat(500));
        let at = query.find('\'').unwrap();
        let text = QueryError::new(&query, at..at + 4, "no").to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("  …, 7, ") && lines[1].ends_with(", 9, …"), "{text}");
        assert_eq!(lines[1].chars().count(), WIDTH + 4);
        let place = lines[2].find('^').unwrap();
        assert_eq!(lines[1].chars().skip(place).take(3).collect::<String>(), "'é'");
        assert_eq!(&lines[2][place..], "^^^");
        let whole = QueryError::new(&query, 0..query.len(), "no").to_string();
        assert!(whole.lines().all(|line| line.chars().count() < WIDTH + 5), "{whole}");
    }
}
