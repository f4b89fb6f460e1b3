//! How the columns of a file are to be read, and what comes of it.

use super::data::Data;
use super::number;
use super::records::{Marks, Unclosed};

/// How the columns of a file are to be read.
pub(super) struct Layout<'a> {
    pub marks: Marks,
    /// The words that stand for a gap.
    pub missing: &'a [String],
    /// For each column whether it holds texts.
    pub texts: Vec<bool>,
}

/// All records from some byte on.
#[derive(Default)]
pub(super) struct Parsed {
    pub columns: Vec<Data>,
    /// The first byte of each row.
    pub starts: Vec<usize>,
    /// For each column of numbers whether there is something else in it.
    pub not_numbers: Vec<bool>,
}

/// What stops the reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Unclosed(Unclosed),
    /// The record from this byte on has so many fields.
    Fields(usize, usize),
}

impl Layout<'_> {
    /// A number, NaN for a gap, or nothing for what is neither.
    pub(super) fn value(&self, field: &str) -> Option<f64> {
        if self.is_gap(field) {
            return Some(f64::NAN);
        }
        number::number(field, self.marks.decimal)
    }

    pub(super) fn is_gap(&self, field: &str) -> bool {
        let field = field.trim();
        field.is_empty() || self.missing.iter().any(|word| word == field)
    }
}

impl Parsed {
    pub(super) fn append(&mut self, more: Self) {
        if self.starts.is_empty() {
            *self = more;
            return;
        }
        self.starts.extend(more.starts);
        for (mine, more) in self.not_numbers.iter_mut().zip(more.not_numbers) {
            *mine |= more;
        }
        for (mine, more) in self.columns.iter_mut().zip(more.columns) {
            mine.append(more);
        }
    }
}
