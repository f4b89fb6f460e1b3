//! A table as people have it: numbers and texts, with gaps, before it is said what is to be
//! predicted.
//!
//! The way of a file: `input` (bytes) → `look` (how it is written) → `parse` (`columns`) → [`Table`]
//! → `plan` (what becomes of each column) → `target` → `encoding` (columns as features).

#[cfg(feature = "arrow")]
mod arrow;
mod channels;
mod columns;
mod data;
mod dates;
mod encoding;
mod fields;
mod files;
mod fit;
mod input;
mod json;
mod layout;
mod look;
mod number;
mod open;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod parse;
mod plan;
mod read;
mod records;
mod rows;
mod rules;
mod select;
mod series;
mod target;
mod tokenizer;
#[cfg(any(feature = "arrow", feature = "parquet"))]
mod typed;
mod view;
mod windows;
mod words;

use std::fmt;
use std::path::PathBuf;

pub use data::ColumnType;
pub(super) use data::Data;
pub use dates::Dates;
pub use encoding::{ColumnEncoding, Encoding};
use fields::Body;
pub(super) use files::FileRows;
use files::OtherFile;
pub(super) use fit::Raw;
pub(super) use input::{read_bytes, read_text};
pub use options::{CsvOptions, Dialect};
pub use plan::TablePlan;
use records::Marks;
pub(super) use rows::Input;
pub(super) use rules::{Becomes, ColumnRule};
pub use rules::{Categories, Missing, MissingRule, Unknown};
use select::Which;
pub use select::{Column, Columns};
pub(super) use select::{first_repeat, named};
pub use series::LongSeries;
pub use words::Words;
pub(super) use words::{FittedWords, PADDING_TOKEN};

use crate::DataError;

/// A file's columns, before it is said which of them is to be predicted. Its [`Display`] shows each
/// column's type, gaps and values.
///
/// [`Display`]: fmt::Display
pub struct Table {
    path: PathBuf,
    body: Body,
    dialect: Dialect,
    marks: Marks,
    /// The words that stand for a gap.
    missing: Vec<String>,
    names: Vec<String>,
    columns: Vec<Data>,
    plan: TablePlan,
    /// Other files whose rows are parts.
    files: Vec<OtherFile>,
}

impl Table {
    #[cfg(test)]
    pub(crate) fn data(&self) -> &[Data] {
        &self.columns
    }

    /// The columns' names, in order.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.body.rows()
    }

    /// Where a person finds a row, counted from 0: "line 17", or "row 17" of a file without lines.
    pub fn place(&self, row: usize) -> String {
        format!("{} {}", self.body.unit(), self.line(row))
    }

    /// How the file was found to be written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// What a column is.
    ///
    /// # Errors
    /// There is no such column.
    pub fn column_type(&self, column: impl Into<Column>) -> Result<ColumnType, DataError> {
        self.position(&column.into()).map(|column| self.type_of(column))
    }

    /// The numbers of these features, rows × features, in the order of `features`. With a header
    /// the columns are found by name and others are left out; without one they are taken by
    /// position, and there must be as many as features. What a data set has of texts or gaps,
    /// [`Encoding::encode`] makes of a table.
    ///
    /// # Errors
    /// A feature has no column, their numbers differ in a file without a header, or a field is not
    /// a finite number.
    pub fn features(&self, features: &[String]) -> Result<Vec<f32>, DataError> {
        let columns = self.columns_of(features, self.dialect.has_header)?;
        let columns = columns.into_iter().map(|column| self.finite(column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let row = |row| columns.iter().map(move |column: &&[f64]| column[row] as f32);
        Ok((0..self.rows()).flat_map(row).collect())
    }

    /// The columns of these features: by name, or by position.
    fn columns_of(&self, features: &[String], named: bool) -> Result<Vec<usize>, DataError> {
        if named {
            return features.iter().map(|name| self.named(name)).collect();
        }
        let (count, wanted) = (self.names.len(), features.len());
        if count == wanted {
            return Ok((0..count).collect());
        }
        let reason = format!(
            "there are {count} columns, and there must be {wanted}, one for each feature; leave \
             the target out, or add a header that names the columns"
        );
        Err(self.wrong(self.line(0), None, reason))
    }

    /// The numbers of a column that must be without gaps and finite as f32.
    fn finite(&self, column: usize) -> Result<&[f64], DataError> {
        let numbers = self.numbers(column)?;
        if let Some(row) = numbers.iter().position(|x| x.is_nan()) {
            return Err(self.wrong(
                self.line(row),
                Some(column),
                format!("{}; write a number or leave the row out", self.gap(row, column)),
            ));
        }
        match numbers.iter().position(|&x| !(x as f32).is_finite()) {
            Some(row) => Err(self.not_finite(row, column)),
            None => Ok(numbers),
        }
    }

    /// The numbers of a column that must be without texts.
    fn numbers(&self, column: usize) -> Result<&[f64], DataError> {
        match &self.columns[column] {
            Data::Numbers(numbers) => Ok(numbers),
            Data::Texts(_) => Err(self.not_numbers(column)),
        }
    }

    /// The first text of a column is no number.
    fn not_numbers(&self, column: usize) -> DataError {
        let is_text = |&row: &usize| self.value(row, column).is_none();
        let Some(row) = (0..self.rows()).find(is_text) else {
            let name = &self.names[column];
            let reason = format!(
                "the column is of texts that are numbers; save it as numbers, or say \
                 .types([({name:?}, ColumnType::Number)])"
            );
            return self.wrong(self.line(0), Some(column), reason);
        };
        let (name, field) = (&self.names[column], self.field(row, column));
        let cure = match number::is_decorated(&field) {
            true => "write it with digits and a decimal point alone",
            false => "write a number or leave the row out",
        };
        let reason = format!(
            "{} is not a number; {cure}, or say that the column is text: .types([({name:?}, \
             ColumnType::Category)])",
            quoted(&field)
        );
        self.wrong(self.line(row), Some(column), reason)
    }

    fn not_finite(&self, row: usize, column: usize) -> DataError {
        let reason = format!(
            "{} is not a finite number of f32; write a number or leave the row out",
            quoted(&self.field(row, column))
        );
        self.wrong(self.line(row), Some(column), reason)
    }

    /// What a gap looks like.
    fn gap(&self, row: usize, column: usize) -> String {
        let field = self.field(row, column);
        match field.trim().is_empty() {
            true => "the field is empty".to_owned(),
            false => format!("{} stands for a gap", quoted(&field)),
        }
    }

    /// What a column is: what was said, or what its fields look like.
    fn type_of(&self, column: usize) -> ColumnType {
        match &self.columns[column] {
            Data::Numbers(_) => ColumnType::Number,
            Data::Texts(texts) => match self.plan.type_of(column) {
                Some(said) => said,
                None if texts.names.len() > data::MOST_CATEGORIES => ColumnType::Text,
                None => ColumnType::Category,
            },
        }
    }

    /// Whether some of a column's fields are numbers, or would be without decoration, and others
    /// are not, and nobody said what it is.
    fn is_mixed(&self, column: usize) -> bool {
        let is_number = |name: &String| {
            number::number(name, self.marks.decimal).is_some() || number::is_decorated(name)
        };
        match &self.columns[column] {
            Data::Texts(texts) if self.body.is_text() => {
                self.plan.type_of(column).is_none() && texts.names.iter().any(is_number)
            }
            // The file itself says what its columns are.
            Data::Texts(_) | Data::Numbers(_) => false,
        }
    }

    /// Whether a column was said to be of dates, or all its texts are such.
    fn is_of_dates(&self, column: usize) -> bool {
        let all = |names: &[String]| {
            !names.is_empty() && names.iter().all(|name| dates::date(name).is_some())
        };
        match &self.columns[column] {
            Data::Texts(texts) => self.plan.dates_of(column).is_some() || all(&texts.names),
            Data::Numbers(_) => false,
        }
    }

    /// Where a column stands.
    fn position(&self, column: &Column) -> Result<usize, DataError> {
        let count = self.names.len();
        match &column.0 {
            Which::Last => Ok(count - 1),
            &Which::Number(number) if number < count => Ok(number),
            Which::Number(number) => Err(self.wrong_at(
                format!("column {number}"),
                format!(
                    "there is no such column; there are {count}, counted from 0 to {}",
                    count - 1
                ),
            )),
            Which::Name(name) => self.named(name),
        }
    }

    fn positions(&self, Columns(columns): &Columns) -> Result<Vec<usize>, DataError> {
        columns.iter().map(|column| self.position(column)).collect()
    }

    fn named(&self, name: &str) -> Result<usize, DataError> {
        select::named(&self.path, name, self.names.iter().map(String::as_str))
    }

    /// The line of the file on which a row begins, counted from 1, or the row, counted from 0.
    fn line(&self, row: usize) -> usize {
        self.body.line(row)
    }

    fn wrong_at(&self, place: String, reason: String) -> DataError {
        DataError::File { path: self.path.clone(), place, reason }
    }

    fn wrong_column(&self, column: usize, reason: String) -> DataError {
        self.wrong_at(format!("column {:?}", self.names[column]), reason)
    }

    fn wrong(&self, line: usize, column: Option<usize>, reason: String) -> DataError {
        let unit = self.body.unit();
        let place = match column {
            Some(column) => format!("{unit} {line}, column {:?}", self.names[column]),
            None => format!("{unit} {line}"),
        };
        self.wrong_at(place, reason)
    }

    /// Whoever names columns names at least one.
    fn nothing_named(&self, what: &str) -> DataError {
        self.wrong_at(what.to_owned(), "no column is named; name at least one".to_owned())
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("path", &self.path)
            .field("rows", &self.rows())
            .field("columns", &self.names)
            .finish()
    }
}

/// A field as it may stand in a one-line message.
fn quoted(field: &str) -> String {
    let mut short: String = field.chars().take(40).collect();
    if short.len() < field.len() {
        short.push('…');
    }
    format!("{short:?}")
}
