//! Other files as parts: the rows of one are the validation part, of another the test.
//!
//! A file is read as its table was, and each of its rows is looked at by the rules of the table, so
//! that what is wrong is told of with its own path and line. Then its rows follow those of the table.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::data::Data;
use super::{ColumnType, Missing, Table, TablePlan, quoted};
use crate::recipe::absolute;
use crate::{DataError, Part, RowMarks, Targets};

/// The table of another file, and the part that its rows are.
pub(super) struct OtherFile {
    part: Part,
    table: Table,
}

/// Rows of a data set that stand in a file of their own.
pub(crate) struct FileRows {
    pub part: Part,
    pub path: PathBuf,
    /// By what rows are found in it: lines, or rows.
    pub unit: &'static str,
    /// The first of its rows; they go on to those of the next file.
    pub first: usize,
}

impl FileRows {
    /// The file of a row; `None` for those of the table itself.
    pub(crate) fn of(files: &[Self], row: usize) -> Option<&Self> {
        files.iter().rev().find(|file| file.first <= row)
    }

    /// The rows of each part, of so many; the table's own are trained on.
    pub(crate) fn parts(files: &[Self], rows: usize) -> [Vec<usize>; 3] {
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for row in 0..rows {
            let part = Self::of(files, row).map_or(Part::Train, |file| file.part);
            parts[part as usize].push(row);
        }
        parts
    }
}

/// What a file adds to the table's rows.
pub(super) struct Addition {
    pub part: Part,
    pub path: PathBuf,
    pub unit: &'static str,
    pub lines: Vec<usize>,
    pub targets: Targets,
    pub marks: Option<RowMarks>,
    /// The columns that are features, in the table's order.
    pub features: Vec<Data>,
    groups: Option<Data>,
}

impl Table {
    /// Takes the rows of another file for the validation part:
    /// `Dataset::csv("train.csv")?.validation_file("valid.csv")?`. It is read as this one was (the
    /// same words for a gap, the same options), and its columns are found by name, whatever their
    /// order; others are left out, those that are [ignored](Self::ignore) need not be there. Without
    /// a header columns are taken by position. All that is learned is learned from the rows of this
    /// table, and what was said of its columns holds for both. A split that follows divides the rows
    /// of this table alone; its fraction for the validation part must be 0. Of several calls the
    /// last one counts.
    ///
    /// # Errors
    /// The file cannot be read. That a column is missing, or a field is not what it must be, is told
    /// of where the table becomes a data set, and so is a class that this table does not have.
    pub fn validation_file(self, path: impl AsRef<Path>) -> Result<Self, DataError> {
        self.with_file(Part::Validation, path.as_ref())
    }

    /// Takes the rows of another file for the test, as [`validation_file`](Self::validation_file)
    /// does for the validation part.
    ///
    /// # Errors
    /// As there.
    pub fn test_file(self, path: impl AsRef<Path>) -> Result<Self, DataError> {
        self.with_file(Part::Test, path.as_ref())
    }

    fn with_file(mut self, part: Part, path: &Path) -> Result<Self, DataError> {
        let is_taken = {
            let others = self.files.iter().filter(|other| other.part != part);
            let mut taken =
                others.map(|other| &other.table.path).chain(std::iter::once(&self.path));
            taken.any(|other| absolute(other) == absolute(path))
        };
        if is_taken {
            let reason = format!(
                "it is there already, and its rows say nothing as the {part} part; name another file"
            );
            return Err(self.wrong_at(path.display().to_string(), reason));
        }
        let table = self.plan.like(path, self.dialect.has_header)?;
        self.files.retain(|other| other.part != part);
        self.files.push(OtherFile { part, table });
        // The order of the calls decides nothing.
        self.files.sort_by_key(|other| other.part as usize);
        match part {
            Part::Test => self.plan.test_file = Some(absolute(path)),
            _ => self.plan.validation_file = Some(absolute(path)),
        }
        Ok(self)
    }

    /// Reads the files that the plan names.
    pub(super) fn with_planned_files(mut self) -> Result<Self, DataError> {
        let TablePlan { validation_file, test_file, .. } = &self.plan;
        let files = [(Part::Validation, validation_file.clone()), (Part::Test, test_file.clone())];
        for (part, path) in files {
            if let Some(path) = path {
                self = self.with_file(part, &path)?;
            }
        }
        Ok(self)
    }

    /// Series and windows are cut from one file.
    pub(super) fn refuse_files(&self, what: &str) -> Result<(), DataError> {
        let Some(OtherFile { part, table }) = self.files.first() else { return Ok(()) };
        let reason = format!(
            "{what} are made of one file, and {} is to be the {part} part; divide them by \
             Split::in_order or Dataset::with_parts",
            table.path.display()
        );
        Err(self.wrong_at("its parts".to_owned(), reason))
    }

    /// What each file adds; `classes` are those of this table's rows, if targets are classes.
    pub(super) fn additions(
        &mut self,
        targets: &[usize],
        features: &[usize],
        classes: Option<&[String]>,
    ) -> Result<Vec<Addition>, DataError> {
        let files = std::mem::take(&mut self.files);
        files.into_iter().map(|file| self.addition(file, targets, features, classes)).collect()
    }

    fn addition(
        &self,
        OtherFile { part, table: mut other }: OtherFile,
        targets: &[usize],
        features: &[usize],
        classes: Option<&[String]>,
    ) -> Result<Addition, DataError> {
        let map = self.columns_in(&other, targets)?;
        // Whoever needs a column has asked for it before.
        let of = |columns: &[usize]| -> Vec<usize> {
            columns.iter().filter_map(|&column| map[column]).collect()
        };
        let used = targets.iter().chain(features).copied().chain(self.plan.marks());
        for column in used {
            if let Some(place) = map[column] {
                other.retype_as(place, &self.columns[column], self.plan.type_of(column))?;
            }
        }
        other.plan = self.plan.mapped(&map);
        let (theirs, features_there) = (of(targets), of(features));
        let rows = other.kept_rows(&theirs)?;
        let targets = match (classes, theirs.as_slice()) {
            (Some(classes), [column]) => {
                Targets::Classes(other.labels_among(classes, *column, &rows, &self.path)?)
            }
            _ => Targets::Values(other.value_targets(&theirs, &rows)?),
        };
        let marks = other.marks(&rows)?;
        for (&column, &place) in features.iter().zip(&features_there) {
            if self.plan.missing_of(column).fill == Missing::Refuse {
                other.refuse_unfilled(place, &rows)?;
            }
            other.refuse_infinite(place, &rows)?;
        }
        let lines = other.body.lines();
        Ok(Addition {
            part,
            unit: other.body.unit(),
            lines: rows.iter().map(|&row| lines[row]).collect(),
            targets,
            marks,
            features: features_there.iter().map(|&place| other.columns[place].of(&rows)).collect(),
            groups: other.plan.group.map(|column| other.columns[column].of(&rows)),
            path: other.path,
        })
    }

    /// Where each column of this table stands in another; `None` for what is not needed and not
    /// there.
    fn columns_in(&self, other: &Self, targets: &[usize]) -> Result<Vec<Option<usize>>, DataError> {
        if !(self.dialect.has_header && other.dialect.has_header) {
            let (count, wanted) = (other.names.len(), self.names.len());
            if count == wanted {
                return Ok((0..count).map(Some).collect());
            }
            let reason = format!(
                "there are {count} columns, and {} has {wanted}; without a header in both they \
                 are taken by position, so there must be as many",
                self.path.display()
            );
            return Err(other.wrong(other.line(0), None, reason));
        }
        let place = |(column, name): (usize, &String)| match other.named(name) {
            Ok(place) => Ok(Some(place)),
            // A mark may be ignored as a feature and is needed all the same.
            Err(_)
                if self.plan.ignores(column)
                    && !targets.contains(&column)
                    && !self.plan.marks().contains(&column) =>
            {
                Ok(None)
            }
            Err(_) if targets.contains(&column) => {
                let reason = format!(
                    "there is no such column, which is the target in {}; a part is judged by its \
                     targets, so rows without one are no part: predict them with a run",
                    self.path.display()
                );
                Err(other.wrong_at(format!("column {name:?}"), reason))
            }
            Err(error) => Err(error),
        };
        self.names.iter().enumerate().map(place).collect()
    }

    /// Makes a column what it is in another table.
    fn retype_as(
        &mut self,
        column: usize,
        model: &Data,
        said: Option<ColumnType>,
    ) -> Result<(), DataError> {
        let wanted = match model {
            Data::Numbers(_) => ColumnType::Number,
            Data::Texts(_) => said.unwrap_or(ColumnType::Category),
        };
        self.retype(column, wanted)
    }

    /// The numbers of the classes of these rows, of those of the table at `path`.
    fn labels_among(
        &self,
        classes: &[String],
        column: usize,
        rows: &[usize],
        path: &Path,
    ) -> Result<Vec<u32>, DataError> {
        self.refuse_gaps(column, rows)?;
        let known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let label = |&row: &usize| {
            let found = match &self.columns[column] {
                Data::Texts(texts) => {
                    known.get(texts.names[texts.codes[row] as usize].as_str()).copied()
                }
                Data::Numbers(numbers) => {
                    let number = numbers[row];
                    let is_class =
                        number.fract() == 0.0 && number >= 0.0 && number < classes.len() as f64;
                    is_class.then_some(number as u32)
                }
            };
            found.ok_or_else(|| {
                let shown: Vec<String> = classes.iter().take(5).map(|name| quoted(name)).collect();
                let reason = format!(
                    "{} is no class of {}, which are {}{}; a network knows the classes that it is \
                     trained on, so add rows of it there or leave the row out",
                    quoted(self.field(row, column).trim()),
                    path.display(),
                    shown.join(", "),
                    if classes.len() > 5 { ", …" } else { "" }
                );
                self.wrong(self.line(row), Some(column), reason)
            })
        };
        rows.iter().map(label).collect()
    }
}

/// Puts more targets of the same kind behind.
pub(super) fn append(targets: &mut Targets, more: Targets) {
    match (targets, more) {
        (Targets::Classes(all), Targets::Classes(more)) => all.extend(more),
        (Targets::Values(all), Targets::Values(more)) => all.extend(more),
        // Whoever appends has read both alike.
        _ => {}
    }
}

/// The marks of all rows; groups of one name or number are one group in all files.
pub(super) fn join_marks(
    marks: Option<RowMarks>,
    groups: Option<Data>,
    additions: &[Addition],
) -> Option<RowMarks> {
    let mut marks = marks?;
    for more in additions.iter().filter_map(|addition| addition.marks.as_ref()) {
        if let (Some(all), Some(more)) = (&mut marks.weights, &more.weights) {
            all.extend_from_slice(more);
        }
        if let (Some(all), Some(more)) = (&mut marks.times, &more.times) {
            all.extend_from_slice(more);
        }
    }
    if let Some(mut all) = groups {
        additions.iter().filter_map(|more| more.groups.clone()).for_each(|more| all.append(more));
        let mut known = HashMap::new();
        let mut number = |key: u64| {
            let next = known.len() as u32;
            *known.entry(key).or_insert(next)
        };
        // By value: 7 and 7.0 are one group.
        marks.groups = Some(match &all {
            Data::Texts(texts) => texts.codes.iter().map(|&code| number(code.into())).collect(),
            Data::Numbers(numbers) => {
                numbers.iter().map(|&x| number((x + 0.0).to_bits())).collect()
            }
        });
    }
    Some(marks)
}

impl TablePlan {
    /// The same of a table whose columns stand elsewhere.
    fn mapped(&self, map: &[Option<usize>]) -> Self {
        let mut plan = self.clone();
        plan.move_columns(|column| map.get(column).copied().flatten());
        plan
    }
}
