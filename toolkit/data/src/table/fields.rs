//! Where fields come from: to be quoted, and to be read again as something else.

use std::collections::HashMap;

use super::Table;
use super::data::{Data, Texts};
use super::records::{Records, Unclosed};

/// What is kept of a file beside its columns.
pub(super) enum Body {
    /// A text, such as that of a CSV file.
    Text {
        text: String,
        /// The first byte of each row in `text`.
        starts: Vec<usize>,
        /// For each row its line of the file, where that is not the line of `text`.
        lines: Option<Vec<usize>>,
    },
    /// Nothing, because the file had columns of values.
    #[cfg_attr(
        not(any(feature = "arrow", feature = "parquet")),
        allow(dead_code, reason = "the formats that have such columns are features")
    )]
    Values {
        rows: usize,
        /// The values of columns whose numbers say less than what was in the file.
        exact: HashMap<usize, Texts>,
    },
}

impl Body {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text { text, .. } => text,
            Self::Values { .. } => "",
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. })
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Text { starts, .. } => starts.len(),
            &Self::Values { rows, .. } => rows,
        }
    }

    /// By what rows are found in the file: lines count from 1, rows from 0.
    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Text { .. } => "line",
            Self::Values { .. } => "row",
        }
    }

    /// The line of the file on which a row begins, or the row.
    pub(super) fn line(&self, row: usize) -> usize {
        match self {
            Self::Text { lines: Some(lines), .. } => lines.get(row).copied().unwrap_or(1),
            Self::Text { starts, .. } => starts.get(row).map_or(1, |&start| self.line_at(start)),
            Self::Values { .. } => row,
        }
    }

    /// The line of the text on which a byte stands.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        let text = self.text().as_bytes();
        let before = &text[..offset.min(text.len())];
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// For each row what [`line`](Self::line) is.
    pub(super) fn lines(&self) -> Vec<usize> {
        match self {
            Self::Text { lines: Some(lines), .. } => lines.clone(),
            Self::Text { text, starts, lines: None } => {
                let (mut line, mut at) = (1, 0);
                let starts = starts.iter().map(|&start| {
                    let between = &text.as_bytes()[at..start];
                    line += between.iter().filter(|&&byte| byte == b'\n').count();
                    at = start;
                    line
                });
                starts.collect()
            }
            &Self::Values { rows, .. } => (0..rows).collect(),
        }
    }
}

impl Table {
    /// The field of a row, without its quotes.
    pub(super) fn field(&self, row: usize, column: usize) -> String {
        let (text, start) = match &self.body {
            Body::Text { text, starts, .. } => (text, starts[row]),
            Body::Values { exact, .. } => return self.shown(exact.get(&column), row, column),
        };
        let mut records = Records::new(self.marks, text.as_bytes(), start);
        match records.next() {
            Ok(_) => String::from_utf8_lossy(records.field(column)).into_owned(),
            // The record was read before.
            Err(Unclosed(_)) => String::new(),
        }
    }

    /// A column's fields, row after row, without their quotes.
    pub(super) fn fields(&self, column: usize) -> Box<dyn Iterator<Item = String> + '_> {
        let (text, starts) = match &self.body {
            Body::Text { text, starts, .. } => (text, starts),
            Body::Values { rows, exact } => {
                let exact = exact.get(&column);
                return Box::new((0..*rows).map(move |row| self.shown(exact, row, column)));
            }
        };
        let first = starts.first().map_or(text.len(), |&start| start);
        let mut records = Records::new(self.marks, text.as_bytes(), first);
        let field = move |_| match records.next() {
            Ok(_) => String::from_utf8_lossy(records.field(column)).into_owned(),
            // All records were read before.
            Err(Unclosed(_)) => String::new(),
        };
        Box::new(starts.iter().map(field))
    }

    /// A value as a field; a gap is empty.
    fn shown(&self, exact: Option<&Texts>, row: usize, column: usize) -> String {
        let text = |texts: &Texts| texts.names.get(texts.codes[row] as usize).cloned();
        match (exact, &self.columns[column]) {
            (Some(texts), _) | (None, Data::Texts(texts)) => text(texts).unwrap_or_default(),
            (None, Data::Numbers(numbers)) if numbers[row].is_nan() => String::new(),
            (None, Data::Numbers(numbers)) => numbers[row].to_string(),
        }
    }

    /// Puts a column in the place of another; what its values were is not lost.
    pub(super) fn replace(&mut self, column: usize, data: Data) {
        let was = std::mem::replace(&mut self.columns[column], data);
        if let (Body::Values { exact, .. }, Data::Texts(texts)) = (&mut self.body, was) {
            exact.entry(column).or_insert(texts);
        }
    }
}
