//! What is to become of a table's columns.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dates::{self, Dates};
use super::input::{Format, read_bytes};
use super::rules::How;
use super::{
    Becomes, Categories, Column, ColumnRule, ColumnType, Columns, CsvOptions, Data, Missing,
    MissingRule, Table, Unknown, Words, quoted,
};
use crate::DataError;

/// What was said of a table: with the file, enough to make the same data set again. Columns are
/// counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TablePlan {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    json_lines: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    parquet: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    arrow: bool,
    #[serde(skip_serializing_if = "is_default")]
    options: CsvOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<(usize, ColumnType)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignore: Vec<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<(usize, MissingRule)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<(usize, Categories)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dates: Vec<(usize, Dates)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<(usize, Words)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weights: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<usize>,
    /// The files whose rows are these parts, from the root of the file system if that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validation_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test_file: Option<PathBuf>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TablePlan {
    pub(super) fn of(options: &CsvOptions) -> Self {
        Self { options: options.clone(), ..Self::default() }
    }

    pub(super) fn of_json_lines() -> Self {
        Self { json_lines: true, ..Self::default() }
    }

    pub(super) fn is_json_lines(&self) -> bool {
        self.json_lines
    }

    #[cfg(feature = "parquet")]
    pub(super) fn of_parquet() -> Self {
        Self { parquet: true, ..Self::default() }
    }

    #[cfg(feature = "arrow")]
    pub(super) fn of_arrow() -> Self {
        Self { arrow: true, ..Self::default() }
    }

    /// The format of the file, if it is no text.
    pub(super) fn format(&self) -> Option<Format> {
        match (self.parquet, self.arrow) {
            (true, _) => Some(Format::Parquet),
            (_, true) => Some(Format::Arrow),
            _ => None,
        }
    }

    /// Whether nothing was said.
    pub fn is_plain(&self) -> bool {
        is_default(self)
    }

    /// Reads another table that is written alike; without a header, too, if this one had none. A
    /// Parquet or Arrow file is read whatever this one was. What words stand for a gap is as it
    /// was.
    pub(crate) fn like(&self, path: &Path, named: bool) -> Result<Table, DataError> {
        let options = match self.format().is_some() || self.json_lines {
            // They have gaps of their own.
            true => self.options.clone().missing(Vec::<String>::new()),
            false => self.options.clone(),
        };
        let bytes = read_bytes(path, "table")?;
        if let Some(format) = Format::of(&bytes) {
            let mut table = of_format(format, path, bytes)?;
            let words = options.words_for_gaps();
            table.columns.iter_mut().for_each(|column| column.leave_gaps_at(&words));
            return Ok(table);
        }
        if self.json_lines {
            return Table::of_json_lines(path, bytes);
        }
        match options.has_header {
            None if !named => Table::of_csv(path, bytes, &options.has_header(false)),
            _ => Table::of_csv(path, bytes, &options),
        }
    }

    /// Reads the table again, with all that was said.
    pub(crate) fn read(&self, path: &Path) -> Result<Table, DataError> {
        self.words.iter().try_for_each(|(_, words)| words.check())?;
        let bytes = read_bytes(path, "table")?;
        let mut table = match (self.json_lines, self.format()) {
            (true, _) => Table::of_json_lines(path, bytes)?,
            (_, Some(format)) => of_format(format, path, bytes)?,
            _ => Table::of_csv(path, bytes, &self.options)?,
        };
        table = table.types(self.types.iter().copied())?;
        let used = self.ignore.iter().copied();
        let used = used.chain(self.missing.iter().map(|(column, _)| *column));
        let used = used.chain(self.categories.iter().map(|(column, _)| *column));
        let used = used.chain(self.dates.iter().map(|(column, _)| *column));
        let used = used.chain(self.words_column());
        for column in used.chain(self.marks()) {
            table.position(&Column::from(column))?;
        }
        table.plan = self.clone();
        table.with_planned_files()
    }

    /// Says the same of columns that stand elsewhere, and nothing of those that are not there.
    pub(super) fn move_columns(&mut self, place: impl Fn(usize) -> Option<usize>) {
        fn moved<T>(pairs: &mut Vec<(usize, T)>, place: impl Fn(usize) -> Option<usize>) {
            let all = std::mem::take(pairs).into_iter();
            pairs.extend(all.filter_map(|(column, said)| Some((place(column)?, said))));
            pairs.sort_by_key(|(column, _)| *column);
        }
        moved(&mut self.types, &place);
        moved(&mut self.missing, &place);
        moved(&mut self.categories, &place);
        moved(&mut self.dates, &place);
        self.ignore = self.ignore.iter().filter_map(|&column| place(column)).collect();
        self.ignore.sort_unstable();
        self.words = self.words.take().and_then(|(column, words)| Some((place(column)?, words)));
        for column in [&mut self.weights, &mut self.group, &mut self.time] {
            *column = column.and_then(&place);
        }
    }

    pub(super) fn type_of(&self, column: usize) -> Option<ColumnType> {
        get(&self.types, column).copied()
    }

    pub(super) fn dates_of(&self, column: usize) -> Option<Dates> {
        get(&self.dates, column).copied()
    }

    /// The column whose words are the input.
    pub(super) fn words_column(&self) -> Option<usize> {
        self.words.as_ref().map(|(column, _)| *column)
    }

    pub(super) fn words_of(&self, column: usize) -> Option<&Words> {
        self.words.as_ref().filter(|(key, _)| *key == column).map(|(_, words)| words)
    }

    /// Forgets what a column was said to become.
    fn forget(&mut self, column: usize) {
        unset(&mut self.categories, column);
        unset(&mut self.dates, column);
        self.words = self.words.take().filter(|(key, _)| *key != column);
    }

    pub(super) fn missing_of(&self, column: usize) -> MissingRule {
        get(&self.missing, column).cloned().unwrap_or_default()
    }

    /// Whether its rows with a gap are left out.
    pub(super) fn drops(&self, column: usize) -> bool {
        self.missing_of(column).fill == Missing::Drop && !self.ignores(column)
    }

    pub(super) fn ignores(&self, column: usize) -> bool {
        self.ignore.contains(&column)
    }

    /// The columns that are kept beside the features.
    pub(super) fn marks(&self) -> Vec<usize> {
        [self.weights, self.group, self.time].into_iter().flatten().collect()
    }
}

/// Reads a file of a format, for which a feature must be built in.
fn of_format(format: Format, path: &Path, bytes: Vec<u8>) -> Result<Table, DataError> {
    let reason = match format {
        #[cfg(feature = "parquet")]
        Format::Parquet => return Table::of_parquet(path, bytes),
        #[cfg(feature = "arrow")]
        Format::Arrow => return Table::of_arrow(path, bytes),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            "it is a Parquet file, and this program was built without them; build it with the \
             feature `parquet` of trainbook"
        }
        #[cfg(not(feature = "arrow"))]
        Format::Arrow => {
            "it is an Arrow file, and this program was built without them; build it with the \
             feature `arrow` of trainbook"
        }
        Format::OldFeather => format.how_to_read(),
    };
    drop(bytes);
    let source = std::io::Error::new(std::io::ErrorKind::Unsupported, reason);
    Err(DataError::Read { path: path.to_owned(), source })
}

fn get<T>(pairs: &[(usize, T)], column: usize) -> Option<&T> {
    pairs.iter().find(|(key, _)| *key == column).map(|(_, value)| value)
}

fn unset<T>(pairs: &mut Vec<(usize, T)>, column: usize) {
    pairs.retain(|(key, _)| *key != column);
}

/// Replaces what was said before.
fn set<T>(pairs: &mut Vec<(usize, T)>, column: usize, value: T) {
    unset(pairs, column);
    pairs.push((column, value));
    pairs.sort_by_key(|(key, _)| *key);
}

impl Table {
    /// Says what columns are: `.types([("zip", ColumnType::Category)])`. By default a column is of
    /// numbers if all its fields are numbers or gaps, else a category if it has at most 50
    /// different texts.
    ///
    /// # Errors
    /// There is no such column, or a field of a column of numbers is none.
    pub fn types<C: Into<Column>>(
        mut self,
        types: impl IntoIterator<Item = (C, ColumnType)>,
    ) -> Result<Self, DataError> {
        for (column, wanted) in types {
            let column = self.position(&column.into())?;
            let categories = get(&self.plan.categories, column).copied();
            self.becomes(column, wanted)?;
            if let Some(categories) = categories.filter(|_| wanted == ColumnType::Category) {
                set(&mut self.plan.categories, column, categories);
            }
        }
        Ok(self)
    }

    /// Makes a column one of this type, of which nothing else was said before.
    fn becomes(&mut self, column: usize, wanted: ColumnType) -> Result<(), DataError> {
        self.retype(column, wanted)?;
        self.plan.forget(column);
        set(&mut self.plan.types, column, wanted);
        Ok(())
    }

    /// Leaves columns out: they are no features.
    ///
    /// # Errors
    /// There is no such column.
    pub fn ignore(mut self, columns: impl Into<Columns>) -> Result<Self, DataError> {
        for column in self.positions(&columns.into())? {
            if !self.plan.ignore.contains(&column) {
                self.plan.ignore.push(column);
            }
        }
        self.plan.ignore.sort_unstable();
        Ok(self)
    }

    /// Says what becomes of the gaps of columns: `.missing("age", Missing::Mean)`,
    /// `.missing(["age", "fare"], Missing::Median.with_indicator())`. They are refused by default.
    ///
    /// # Errors
    /// There is no such column.
    pub fn missing(
        mut self,
        columns: impl Into<Columns>,
        rule: impl Into<MissingRule>,
    ) -> Result<Self, DataError> {
        let rule = rule.into();
        for column in self.positions(&columns.into())? {
            set(&mut self.plan.missing, column, rule.clone());
        }
        Ok(self)
    }

    /// Says how the texts of columns become numbers; columns of numbers become categories. By
    /// default [`Categories::one_hot`] of columns with at most 50 different texts.
    ///
    /// # Errors
    /// There is no such column, or an ordinal's unknown categories are to be zeros.
    pub fn categories(
        mut self,
        columns: impl Into<Columns>,
        categories: Categories,
    ) -> Result<Self, DataError> {
        if categories.how == How::Ordinal && categories.unknown == Unknown::Zeros {
            return Err(DataError::Setting {
                setting: "Categories::ordinal().unknown",
                value: "Unknown::Zeros".to_owned(),
                expected: "Unknown::Refuse or Unknown::Rare, because 0 is the first category"
                    .to_owned(),
            });
        }
        for column in self.positions(&columns.into())? {
            self.becomes(column, ColumnType::Category)?;
            set(&mut self.plan.categories, column, categories);
        }
        Ok(self)
    }

    /// Says that columns are dates, and what numbers become of them:
    /// `.dates("day", Dates::elapsed())`. They are read as `2026-11-28`, `2026-11-28 13:05` or
    /// `2026-11-28T13:05:07`, with or without a `Z` behind; gaps become what
    /// [`missing`](Self::missing) says. By default a date is a text as others.
    ///
    /// # Errors
    /// There is no such column. A field that is no date is told of where the table becomes a data
    /// set.
    pub fn dates(mut self, columns: impl Into<Columns>, dates: Dates) -> Result<Self, DataError> {
        for column in self.positions(&columns.into())? {
            self.becomes(column, ColumnType::Text)?;
            set(&mut self.plan.dates, column, dates);
        }
        Ok(self)
    }

    /// Says that the words of a column of texts are the input, as a sequence of numbers:
    /// `.words("review", Words::new(200).most(20_000))`. Rows of the data set are then indices, for
    /// a network that begins with `Embedding::new(data.vocabulary_size(), 64).padding_index(0)`,
    /// and no other column can be a feature: leave the others out by [`ignore`](Self::ignore). The
    /// white space around a field is no part of its text, and a field that is empty or a word for a
    /// gap is a gap: leave the row out by [`Missing::Drop`], or say what stands there by
    /// [`Missing::Text`]; `Missing::Text(String::new())` is padding alone, or what a tokenizer adds
    /// to each text. Of several calls the last one counts.
    ///
    /// # Errors
    /// There is no such column, or a setting of `words` makes no sense. Other columns are told of
    /// where the table becomes a data set.
    pub fn words(mut self, column: impl Into<Column>, words: Words) -> Result<Self, DataError> {
        words.check()?;
        let column = self.position(&column.into())?;
        self.becomes(column, ColumnType::Text)?;
        self.plan.words = Some((column, words));
        Ok(self)
    }

    /// Says which column tells how often a row is drawn under
    /// [`Sampling::Weighted`](crate::Sampling::Weighted), or how much it counts
    /// ([`Dataset::weigh_rows`](crate::Dataset::weigh_rows)), instead of being a feature: numbers,
    /// at least 0. Without one of both nothing goes by it.
    ///
    /// # Errors
    /// There is no such column.
    pub fn weights(mut self, column: impl Into<Column>) -> Result<Self, DataError> {
        self.plan.weights = Some(self.position(&column.into())?);
        Ok(self)
    }

    /// Says which column tells what rows belong together, such as those of one patient, instead of
    /// being a feature.
    ///
    /// # Errors
    /// There is no such column.
    pub fn group(mut self, column: impl Into<Column>) -> Result<Self, DataError> {
        self.plan.group = Some(self.position(&column.into())?);
        Ok(self)
    }

    /// Says which column tells when a row was taken, instead of being a feature: numbers, or dates
    /// that sort as text (`2026-11-28`, `2026-11-28 13:05:00`).
    ///
    /// # Errors
    /// There is no such column.
    pub fn time(mut self, column: impl Into<Column>) -> Result<Self, DataError> {
        self.plan.time = Some(self.position(&column.into())?);
        Ok(self)
    }

    /// What becomes of a column that is a feature.
    pub(super) fn rule(&self, column: usize) -> Result<ColumnRule, DataError> {
        let missing = self.plan.missing_of(column);
        let name = &self.names[column];
        let refuse = |reason: String| Err(self.wrong_column(column, reason));
        let said = get(&self.plan.categories, column).copied();
        let Data::Texts(texts) = &self.columns[column] else {
            return match missing.fill {
                Missing::Text(text) => refuse(format!(
                    "its gaps are to be {text:?}, and it has numbers; use Missing::Constant"
                )),
                _ => Ok(ColumnRule { missing, becomes: Becomes::Numbers }),
            };
        };
        if let Some(dates) = self.plan.dates_of(column) {
            return match &missing.fill {
                Missing::Constant(number) => refuse(format!(
                    "its gaps are to be {number}, and it has dates; use Missing::Text with a \
                     date, Missing::Mean, Missing::Median or Missing::MostFrequent"
                )),
                Missing::Text(text) if dates::date(text).is_none() => refuse(format!(
                    "its gaps are to be {}, and it has dates; write one as {}",
                    quoted(text),
                    dates::FORMATS
                )),
                _ => Ok(ColumnRule { missing, becomes: Becomes::Dates(dates) }),
            };
        }
        if let Some(words) = self.plan.words_of(column) {
            return match (&missing.fill, missing.indicator) {
                (Missing::Refuse | Missing::Drop | Missing::Text(_), false) => {
                    Ok(ColumnRule { missing, becomes: Becomes::Words(words.clone()) })
                }
                (_, true) => refuse(
                    "a feature is to tell of its gaps, and its words are the only input; leave \
                     .with_indicator() out"
                        .to_owned(),
                ),
                _ => refuse(
                    "its gaps are to be computed, and its words are the input; use \
                     Missing::Text(String::new()) for padding alone, or Missing::Drop"
                        .to_owned(),
                ),
            };
        }
        if self.is_mixed(column) {
            return Err(self.not_numbers(column));
        }
        if matches!(missing.fill, Missing::Mean | Missing::Median | Missing::Constant(_)) {
            return refuse(
                "its gaps are to be a number, and it has texts; use Missing::MostFrequent or \
                 Missing::Text"
                    .to_owned(),
            );
        }
        match said {
            Some(said) => Ok(ColumnRule { missing, becomes: Becomes::Categories(said) }),
            None if self.type_of(column) == ColumnType::Category => {
                let becomes = Becomes::Categories(Categories::one_hot());
                Ok(ColumnRule { missing, becomes })
            }
            None if self.is_of_dates(column) => refuse(format!(
                "it has {} different dates; make features of them by .dates({name:?}, \
                 Dates::elapsed()), or leave it out by .ignore({name:?})",
                texts.names.len()
            )),
            None => refuse(format!(
                "it has {} different texts; leave it out by .ignore({name:?}), make features of \
                 them by .categories({name:?}, Categories::one_hot().rare_below(…)), or their \
                 words the input by .words({name:?}, Words::new(…))",
                texts.names.len()
            )),
        }
    }
}
