//! A table from a CSV file.

use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use super::data::{Data, GAP, Texts};
use super::fields::Body;
use super::input::text_of;
use super::layout::{Layout, Parsed, Stop};
use super::look::{self, Seen};
use super::options::{CsvOptions, Dialect};
use super::parse::parse;
use super::records::{Records, Unclosed};
use super::select::first_repeat;
use super::{ColumnType, Table, TablePlan, number, quoted};
use crate::DataError;

impl Table {
    /// Reads a CSV file.
    pub(super) fn of_csv(
        path: &Path,
        bytes: Vec<u8>,
        options: &CsvOptions,
    ) -> Result<Self, DataError> {
        options.check()?;
        let mut text = text_of(path, bytes)?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Self::parse(path, text, None, options)
    }

    /// Reads a text as a CSV file. `lines` are the rows' lines of the file at `path`, where they
    /// are not those of `text`.
    pub(super) fn parse(
        path: &Path,
        text: String,
        lines: Option<Vec<usize>>,
        options: &CsvOptions,
    ) -> Result<Self, DataError> {
        let marks = look::marks(text.as_bytes(), options);
        let mut table = Self {
            path: path.to_owned(),
            body: Body::Text { text: String::new(), starts: Vec::new(), lines: None },
            dialect: Dialect {
                separator: char::from(marks.separator),
                decimal: char::from(marks.decimal),
                has_header: false,
                assumed: false,
            },
            marks,
            missing: options.words_for_gaps(),
            names: Vec::new(),
            columns: Vec::new(),
            plan: TablePlan::of(options),
            files: Vec::new(),
        };
        table.fill(text, lines, options.has_header)?;
        Ok(table)
    }

    fn fill(
        &mut self,
        text: String,
        lines: Option<Vec<usize>>,
        has_header: Option<bool>,
    ) -> Result<(), DataError> {
        let result = self.fill_from(text.as_bytes(), has_header);
        let body = |starts| Body::Text { text, starts, lines };
        let (parsed, first) = match result {
            Ok(found) => found,
            Err(refusal) => {
                self.body = body(Vec::new());
                return Err(self.refuse(refusal));
            }
        };
        self.body = body(parsed.starts);
        self.columns = parsed.columns;
        if self.rows() == 0 {
            let reason = "there is only a header; add at least one row of numbers".to_owned();
            return Err(self.wrong(self.body.line_at(first), None, reason));
        }
        for (column, is_text) in parsed.not_numbers.into_iter().enumerate() {
            if is_text {
                self.columns[column] = Data::Texts(self.texts_of(column));
            }
        }
        self.leave_out_an_empty_end();
        Ok(())
    }

    /// Reads all columns, and says where the first record begins.
    fn fill_from(
        &mut self,
        text: &[u8],
        has_header: Option<bool>,
    ) -> Result<(Parsed, usize), Refusal> {
        let mut records = Records::new(self.marks, text, 0);
        let first = records.next()?.ok_or(Refusal::Empty)?;
        let to_text = |field| String::from_utf8_lossy(field).into_owned();
        let fields: Vec<String> = records.fields().map(to_text).collect();
        let end = records.end();
        let missing = std::mem::take(&mut self.missing);
        let mut layout =
            Layout { marks: self.marks, missing: &missing, texts: vec![false; fields.len()] };
        let below = look::seen(text, end, fields.len(), &layout);
        let headed = self.name_columns(&fields, &below, &layout, has_header);
        let from = if self.dialect.has_header { end } else { first };
        layout.texts = look::seen(text, from, fields.len(), &layout)
            .iter()
            .map(|seen| seen.texts > 0)
            .collect();
        let parsed = headed
            .map_err(|(column, reason)| Refusal::Header { at: first, column, reason })
            .and_then(|()| {
                let width = fields.len();
                parse(&layout, text, from).map_err(|stop| Refusal::Stop { stop, first, width })
            });
        self.missing = missing;
        Ok((parsed?, first))
    }

    /// Takes the columns' names from the first record, if it is a header.
    fn name_columns(
        &mut self,
        record: &[String],
        below: &[Seen],
        layout: &Layout<'_>,
        has_header: Option<bool>,
    ) -> Result<(), (usize, String)> {
        // Words such as `nan` are numbers here, because no column is called so.
        let is_number = |field: &String| {
            number::number(field, self.marks.decimal).is_some()
                || field.trim().parse::<f32>().is_ok()
        };
        let numbers = record.iter().filter(|field| is_number(field)).count();
        self.names = (0..record.len()).map(|column| column.to_string()).collect();
        self.dialect.has_header = has_header.unwrap_or(numbers == 0);
        self.dialect.assumed =
            has_header.is_none() && numbers == 0 && below.iter().all(|seen| seen.numbers == 0);
        if self.dialect.has_header {
            self.names = record.iter().map(|name| name.trim().to_owned()).collect();
            return match first_repeat(&self.names) {
                None => Ok(()),
                Some((first, column)) => {
                    let reason = format!(
                        "columns {first} and {column}, counted from 0, have the same name; rename one"
                    );
                    Err((column, reason))
                }
            };
        }
        // Names and numbers on one line are a row if the names stand above texts.
        let stands_out = |column: &usize| {
            let (field, seen) = (&record[*column], &below[*column]);
            !is_number(field) && !layout.is_gap(field) && seen.numbers > 0 && seen.texts == 0
        };
        match (0..record.len()).find(stands_out) {
            Some(column) if has_header.is_none() => Err((
                column,
                format!(
                    "{} is not a number, but {numbers} of {} fields of this line are; the first \
                     line must be all names or all numbers",
                    quoted(&record[column]),
                    record.len()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A separator behind the last field of each row makes no column.
    fn leave_out_an_empty_end(&mut self) {
        let last = self.columns.len() - 1;
        let unnamed = !self.dialect.has_header || self.names[last].is_empty();
        if last > 0 && unnamed && self.columns[last].gaps() == self.rows() {
            self.columns.pop();
            self.names.pop();
        }
    }

    fn refuse(&self, refusal: Refusal) -> DataError {
        match refusal {
            Refusal::Empty => DataError::Read {
                path: self.path.clone(),
                source: IoError::new(
                    ErrorKind::InvalidData,
                    "it is empty; it must hold a row of numbers for each sample",
                ),
            },
            Refusal::Header { at, column, reason } => {
                self.wrong(self.body.line_at(at), Some(column), reason)
            }
            Refusal::Stop { stop: Stop::Unclosed(Unclosed(at)), .. } => {
                let reason = "a quoted field begins here and does not end; close it, or set \
                              CsvOptions::quote(None)";
                self.wrong(self.body.line_at(at), None, reason.to_owned())
            }
            Refusal::Stop { stop: Stop::Fields(at, found), first, width } => {
                let reason = format!(
                    "there are {found} fields, but {width} on line {}; give each row the same",
                    self.body.line_at(first)
                );
                self.wrong(self.body.line_at(at), None, reason)
            }
        }
    }

    /// The number in a field, NaN for a gap, or nothing for what is neither.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<f64> {
        self.layout().value(&self.field(row, column))
    }

    fn layout(&self) -> Layout<'_> {
        Layout { marks: self.marks, missing: &self.missing, texts: Vec::new() }
    }

    /// The fields of a column as texts, whatever they are.
    pub(super) fn texts_of(&self, column: usize) -> Texts {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut texts = Texts::default();
        let layout = self.layout();
        for field in self.fields(column) {
            let field = field.trim();
            let code = match known.get(field) {
                Some(&code) => code,
                None if layout.is_gap(field) => GAP,
                None => {
                    texts.names.push(field.to_owned());
                    known.insert(field.to_owned(), texts.names.len() as u32 - 1);
                    texts.names.len() as u32 - 1
                }
            };
            texts.codes.push(code);
        }
        texts
    }

    /// Reads a column again as what it is said to be.
    pub(super) fn retype(&mut self, column: usize, wanted: ColumnType) -> Result<(), DataError> {
        match (wanted, &self.columns[column]) {
            (ColumnType::Number, Data::Texts(_)) => {
                let layout = self.layout();
                let values = self.fields(column).map(|field| layout.value(&field));
                match values.collect::<Option<Vec<f64>>>() {
                    Some(numbers) => self.replace(column, Data::Numbers(numbers)),
                    None => return Err(self.not_numbers(column)),
                }
            }
            (ColumnType::Category | ColumnType::Text, Data::Numbers(_)) => {
                self.replace(column, Data::Texts(self.texts_of(column)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why a file is no table.
enum Refusal {
    Empty,
    Header { at: usize, column: usize, reason: String },
    Stop { stop: Stop, first: usize, width: usize },
}

impl From<Unclosed> for Refusal {
    fn from(unclosed: Unclosed) -> Self {
        Self::Stop { stop: Stop::Unclosed(unclosed), first: unclosed.0, width: 0 }
    }
}
