//! A CSV file of numbers.

use std::fmt;
use std::io::{Error as IoError, ErrorKind, Read};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;

use super::dataset::{count_classes, numbered};
use super::recipe::{Origin, absolute};
use super::source::Memory;
use super::{Dataset, Targets};
use crate::DataError;

/// The first bytes of every gzip file (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A file's numbers, before it is said which column is to be predicted. All are finite.
pub struct Table {
    path: PathBuf,
    names: Vec<String>,
    /// Whether the file says the names.
    named: bool,
    /// Rows × columns.
    values: Vec<f32>,
    /// The line of the file on which each row begins, counted from 1.
    lines: Vec<usize>,
}

/// Which column of a table: by name, by number counted from 0, or the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column(Which);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Last,
    Number(usize),
    Name(String),
}

impl Column {
    /// The last column.
    pub fn last() -> Self {
        Self(Which::Last)
    }
}

/// One column or several, in this order: `"price"`, `3`, `["x", "y"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl<C: Into<Column>> From<C> for Columns {
    fn from(column: C) -> Self {
        Self(vec![column.into()])
    }
}

impl<C: Into<Column>, const N: usize> From<[C; N]> for Columns {
    fn from(columns: [C; N]) -> Self {
        Self(columns.into_iter().map(Into::into).collect())
    }
}

impl<C: Into<Column>> From<Vec<C>> for Columns {
    fn from(columns: Vec<C>) -> Self {
        Self(columns.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self(Which::Name(name.to_owned()))
    }
}

impl From<usize> for Column {
    fn from(number: usize) -> Self {
        Self(Which::Number(number))
    }
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path)?;
        let mut table = Self {
            path: path.to_owned(),
            names: Vec::new(),
            named: false,
            values: Vec::new(),
            lines: Vec::new(),
        };
        table.parse(&text)?;
        Ok(table)
    }

    /// The columns' names, in order.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The numbers of these features, rows × features, in the order of `features`. With a header
    /// the columns are found by name and others are left out; without one they are taken by
    /// position, and there must be as many as features.
    ///
    /// # Errors
    /// A feature has no column, or their numbers differ in a file without a header.
    pub fn features(&self, features: &[String]) -> Result<Vec<f32>, DataError> {
        let count = self.names.len();
        if !self.named {
            if count == features.len() {
                return Ok(self.values.clone());
            }
            let (line, wanted) = (self.lines.first().copied().unwrap_or(1), features.len());
            let reason = format!(
                "there are {count} columns, and there must be {wanted}, one for each feature; leave \
                 the target out, or add a header that names the columns"
            );
            return Err(self.wrong(line, None, reason));
        }
        let columns = features.iter().map(|name| self.position(name));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = self.values.chunks_exact(count);
        Ok(rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect())
    }

    /// A data set whose targets are the classes in `column`; all other columns are features.
    ///
    /// # Errors
    /// There is no such column or no other, or its values are not the integers from 0 to C − 1 with
    /// every class present.
    pub fn target(self, column: impl Into<Column>) -> Result<Dataset, DataError> {
        let column = self.find(&column.into())?;
        let refuse = |row: usize, reason| Err(self.wrong(self.lines[row], Some(column), reason));
        let mut labels = Vec::with_capacity(self.rows());
        for (row, values) in self.values.chunks_exact(self.names.len()).enumerate() {
            let value = values[column];
            if value.fract() != 0.0 || value < 0.0 {
                let what = if value < 0.0 { "is negative" } else { "is not an integer" };
                let cure = "number the classes from 0, or use target_values for real numbers";
                return refuse(row, format!("label {value} {what}; {cure}"));
            }
            labels.push(value as u32);
        }
        match count_classes(&labels) {
            Ok(classes) => self.into_dataset(vec![column], Targets::Classes(labels), Some(classes)),
            Err(gap) => {
                let label = self.values[gap.row * self.names.len() + column];
                refuse(gap.row, format!("label {label} is out of range{gap}"))
            }
        }
    }

    /// A data set whose targets are the real numbers in a column, or in several:
    /// `.target_values("price")`, `.target_values(["x", "y"])`; all other columns are features.
    /// Columns of 0 and 1 are labels for
    /// [binary cross-entropy](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html).
    ///
    /// # Errors
    /// There is no such column or no other, or one is named twice.
    pub fn target_values(self, columns: impl Into<Columns>) -> Result<Dataset, DataError> {
        let Columns(wanted) = columns.into();
        let columns = wanted.iter().map(|column| self.find(column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let refuse = |place, reason: &str| {
            Err(DataError::File { path: self.path.clone(), place, reason: reason.to_owned() })
        };
        for (at, column) in columns.iter().enumerate() {
            if columns[..at].contains(column) {
                let place = format!("column {:?}", self.names[*column]);
                return refuse(place, "it is a target twice; name each column once");
            }
        }
        if columns.is_empty() {
            return refuse("targets".to_owned(), "no column is named; name at least one");
        }
        if columns.len() == self.names.len() {
            let place = "targets".to_owned();
            return refuse(place, "every column is one, which leaves no features");
        }
        let rows = self.values.chunks_exact(self.names.len());
        let values = rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect();
        self.into_dataset(columns, Targets::Values(values), None)
    }

    fn find(&self, column: &Column) -> Result<usize, DataError> {
        let count = self.names.len();
        let refuse =
            |place, reason| Err(DataError::File { path: self.path.clone(), place, reason });
        let found = match &column.0 {
            Which::Last => count - 1,
            &Which::Number(number) if number < count => number,
            Which::Number(number) => {
                let reason = format!(
                    "there is no such column; there are {count}, counted from 0 to {}",
                    count - 1
                );
                return refuse(format!("column {number}"), reason);
            }
            Which::Name(name) => self.position(name)?,
        };
        if count == 1 {
            let reason =
                "it is the only column, which leaves no features; use a file with at least two columns".to_owned();
            return refuse(format!("column {:?}", self.names[found]), reason);
        }
        Ok(found)
    }

    fn position(&self, name: &str) -> Result<usize, DataError> {
        if let Some(found) = self.names.iter().position(|known| known == name) {
            return Ok(found);
        }
        let similarity =
            |known: &String| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
        let nearest = self.names.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        let nearest = nearest.map_or("", String::as_str);
        Err(DataError::File {
            path: self.path.clone(),
            place: format!("column {name:?}"),
            reason: format!("there is no such column; the nearest is {nearest:?}"),
        })
    }

    fn into_dataset(
        self,
        columns: Vec<usize>,
        targets: Targets,
        classes: Option<usize>,
    ) -> Result<Dataset, DataError> {
        let count = self.names.len();
        let others: Vec<usize> = (0..count).filter(|column| !columns.contains(column)).collect();
        let mut features = Vec::with_capacity(self.rows() * others.len());
        for row in self.values.chunks_exact(count) {
            features.extend(others.iter().map(|&column| row[column]));
        }
        let names = others.iter().map(|&column| self.names[column].clone()).collect();
        let name = self.path.display().to_string();
        let targets_per_row = columns.len();
        let path = absolute(&self.path);
        let origin = Origin::Csv { path, targets: columns, classes: classes.is_some() };
        Dataset::from_source(Memory {
            origin,
            name,
            shape: vec![others.len()],
            feature_names: names,
            features,
            targets,
            targets_per_row,
            class_names: classes.map(numbered),
        })
    }

    fn parse(&mut self, text: &str) -> Result<(), DataError> {
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut lines = Lines { text, at: 0, line: 1 };
        let mut record = StringRecord::new();
        let mut first_line = None;
        loop {
            let more = reader.read_record(&mut record);
            let line =
                lines.line_of(record.position().map_or(0, |position| position.byte() as usize));
            if !more.map_err(|e| self.wrong(line, None, e.to_string()))? {
                break;
            }
            let is_header = match first_line {
                Some(first) if record.len() != self.names.len() => {
                    let (found, wanted) = (record.len(), self.names.len());
                    return Err(self.wrong(
                        line,
                        None,
                        format!("there are {found} fields, but {wanted} on line {first}; give each row the same"),
                    ));
                }
                Some(_) => false,
                None => {
                    first_line = Some(line);
                    self.name_columns(&record, line)?
                }
            };
            if !is_header {
                self.lines.push(line);
                for (column, field) in record.iter().enumerate() {
                    let number =
                        number(field).map_err(|reason| self.wrong(line, Some(column), reason))?;
                    self.values.push(number);
                }
            }
        }
        match (self.lines.is_empty(), first_line) {
            (false, _) => Ok(()),
            (true, Some(line)) => Err(self.wrong(
                line,
                None,
                "there is only a header; add at least one row of numbers".to_owned(),
            )),
            (true, None) => Err(self.unreadable(
                ErrorKind::InvalidData,
                "it is empty; it must hold a row of numbers for each sample",
            )),
        }
    }

    /// Takes the columns' names from the first record, and says whether it is a header.
    fn name_columns(&mut self, record: &StringRecord, line: usize) -> Result<bool, DataError> {
        self.names = (0..record.len()).map(|column| column.to_string()).collect();
        let is_number = |field: &str| field.trim().parse::<f32>().is_ok();
        let numbers = record.iter().filter(|field| is_number(field)).count();
        self.named = numbers == 0;
        if self.named {
            self.names = record.iter().map(|name| name.trim().to_owned()).collect();
            for (column, name) in self.names.iter().enumerate() {
                if let Some(first) = self.names[..column].iter().position(|earlier| earlier == name)
                {
                    let reason = format!(
                        "columns {first} and {column}, counted from 0, have the same name; rename one"
                    );
                    return Err(self.wrong(line, Some(column), reason));
                }
            }
        } else if let Some(column) = record.iter().position(|field| !is_number(field)) {
            let reason = format!(
                "{} is not a number, but {numbers} of {} fields of this line are; the first line must be all names or all numbers",
                quoted(&record[column]),
                record.len()
            );
            return Err(self.wrong(line, Some(column), reason));
        }
        Ok(self.named)
    }

    fn wrong(&self, line: usize, column: Option<usize>, reason: String) -> DataError {
        let place = match column {
            Some(column) => format!("line {line}, column {:?}", self.names[column]),
            None => format!("line {line}"),
        };
        DataError::File { path: self.path.clone(), place, reason }
    }

    fn unreadable(&self, kind: ErrorKind, reason: &str) -> DataError {
        DataError::Read { path: self.path.clone(), source: IoError::new(kind, reason) }
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

/// Numbers lines while offsets only grow. The CSV reader's own count is that of the empty lines
/// before a record, if there are any.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the first byte from `offset` on that is not a line break.
    fn line_of(&mut self, offset: usize) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let ahead = offset.saturating_sub(self.at).min(rest.len());
        let breaks = rest[ahead..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += rest[..ahead + breaks].iter().filter(|&&byte| byte == b'\n').count();
        self.at += ahead + breaks;
        self.line
    }
}

pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    let refuse = |kind, reason: String| DataError::Read {
        path: path.to_owned(),
        source: IoError::new(kind, reason),
    };
    if path.is_dir() {
        return Err(refuse(
            ErrorKind::IsADirectory,
            "it is a folder; name a CSV file in it".to_owned(),
        ));
    }
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => {
            let here = std::env::current_dir().unwrap_or_default();
            let hint = format!(
                "there is no such file; correct the path (the current folder is {})",
                here.display()
            );
            refuse(ErrorKind::NotFound, hint)
        }
        _ => DataError::Read { path: path.to_owned(), source },
    })?;
    let bytes = if bytes.starts_with(&GZIP_MAGIC) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).map_err(|source| {
            let what = match source.kind() {
                ErrorKind::UnexpectedEof => "its gzip data ends too early".to_owned(),
                _ => format!("its gzip data is damaged ({source})"),
            };
            refuse(source.kind(), format!("{what}; fetch the file again"))
        })?;
        plain
    } else {
        bytes
    };
    String::from_utf8(bytes).map_err(|e| {
        let start = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + start.iter().filter(|&&byte| byte == b'\n').count();
        let reason = "it is neither gzip nor UTF-8 text; save it as CSV in UTF-8".to_owned();
        DataError::File { path: path.to_owned(), place: format!("line {line}"), reason }
    })
}

/// A finite number, or what is wrong with the field.
fn number(field: &str) -> Result<f32, String> {
    // Trimming comes second, because it costs a third of the time and is rarely needed.
    let parsed = field.parse::<f32>().or_else(|_| field.trim().parse());
    let cure = "write a number or leave the row out";
    match parsed {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(format!("{} is not a finite number of f32; {cure}", quoted(field))),
        Err(_) if field.trim().is_empty() => Err(format!("the field is empty; {cure}")),
        Err(_) if field.contains([';', '\t']) => {
            Err(format!("{} is not a number; separate fields by commas", quoted(field)))
        }
        Err(_) => Err(format!("{} is not a number; {cure}", quoted(field))),
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
