//! From a table to a data set: what is to be predicted.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::data::{Data, GAP};
use super::files::{Addition, append, join_marks};
use super::{Column, Columns, FileRows, Missing, Raw, Table, dates, quoted};
use crate::from_memory::{count_classes, numbered};
use crate::recipe::{Origin, absolute};
use crate::source::{Kept, TableSource};
use crate::{DataError, Dataset, RowMarks, Targets};

impl Table {
    /// A data set whose targets are the classes in `column`; all other columns are features, but
    /// for those that were ignored or said to be weights, groups or times. Texts are classes in
    /// the order of their names; numbers are class numbers.
    ///
    /// # Errors
    /// There is no such column or no other; its numbers are not the integers from 0 to C − 1 with
    /// every class present; it has gaps; or another column can be no feature: it has gaps, or texts
    /// that are too many or mixed with numbers.
    pub fn target(self, column: impl Into<Column>) -> Result<Dataset, DataError> {
        let column = self.find(&column.into())?;
        let rows = self.kept_rows(&[column])?;
        let (labels, names) = self.class_targets(column, &rows)?;
        self.into_dataset(vec![column], Targets::Classes(labels), Some(names), rows)
    }

    /// The classes of these rows, and the classes' names.
    pub(super) fn class_targets(
        &self,
        column: usize,
        rows: &[usize],
    ) -> Result<(Vec<u32>, Vec<String>), DataError> {
        self.refuse_gaps(column, rows)?;
        let refuse = |row: usize, reason| Err(self.wrong(self.line(row), Some(column), reason));
        if self.is_mixed(column) {
            return Err(self.not_numbers(column));
        }
        Ok(match &self.columns[column] {
            Data::Texts(texts) => {
                let Data::Texts(texts) = Data::Texts(texts.clone()).of(rows) else {
                    return Err(self.not_numbers(column));
                };
                let names = texts.sorted();
                let known: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
                let number = |name: &String| known.get(name.as_str()).copied();
                // A text that does not occur in these rows is nobody's class.
                let numbers: Vec<u32> =
                    texts.names.iter().map(|name| number(name).unwrap_or(0)).collect();
                let labels = texts.codes.iter().map(|&code| numbers[code as usize]).collect();
                (labels, names.into_iter().map(str::to_owned).collect())
            }
            Data::Numbers(numbers) => {
                let mut labels = Vec::with_capacity(rows.len());
                for &row in rows {
                    let value = numbers[row];
                    if !(value as f32).is_finite() {
                        return Err(self.not_finite(row, column));
                    }
                    if value.fract() != 0.0 || value < 0.0 {
                        let what = if value < 0.0 { "is negative" } else { "is not an integer" };
                        let cure =
                            "number the classes from 0, or use target_values for real numbers";
                        return refuse(row, format!("label {} {what}; {cure}", value as f32));
                    }
                    labels.push(value as u32);
                }
                match count_classes(&labels) {
                    Ok(classes) => (labels, numbered(classes)),
                    Err(gap) => {
                        let row = rows[gap.row];
                        let label = numbers[row] as f32;
                        return refuse(row, format!("label {label} is out of range{gap}"));
                    }
                }
            }
        })
    }

    /// A data set whose targets are the real numbers in a column, or in several:
    /// `.target_values("price")`, `.target_values(["x", "y"])`; all other columns are features, but
    /// for those that were ignored or said to be weights, groups or times. Columns of 0 and 1 are
    /// labels for
    /// [binary cross-entropy](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html).
    ///
    /// # Errors
    /// There is no such column or no other, one is named twice, or one has gaps or texts; or
    /// another column can be no feature: it has gaps, or texts that are too many or mixed with
    /// numbers.
    pub fn target_values(self, columns: impl Into<Columns>) -> Result<Dataset, DataError> {
        let Columns(wanted) = columns.into();
        let columns = wanted.iter().map(|column| self.find(column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let roles: Vec<(usize, &str)> = columns.iter().map(|&column| (column, "target")).collect();
        self.refuse_two_roles(&roles)?;
        if columns.is_empty() {
            return Err(self.nothing_named("targets"));
        }
        if columns.len() == self.names.len() {
            let reason = "every column is one, which leaves no features".to_owned();
            return Err(self.wrong_at("targets".to_owned(), reason));
        }
        let rows = self.kept_rows(&columns)?;
        let values = self.value_targets(&columns, &rows)?;
        self.into_dataset(columns, Targets::Values(values), None, rows)
    }

    /// The numbers of these rows, rows × columns.
    pub(super) fn value_targets(
        &self,
        columns: &[usize],
        rows: &[usize],
    ) -> Result<Vec<f32>, DataError> {
        let mut numbers = Vec::with_capacity(columns.len());
        for &column in columns {
            self.refuse_gaps(column, rows)?;
            let values = match &self.columns[column] {
                Data::Texts(_) if !self.is_mixed(column) => {
                    let row = rows.first().copied().unwrap_or_default();
                    let reason = format!(
                        "{} is not a number; use target for classes",
                        quoted(&self.field(row, column))
                    );
                    return Err(self.wrong(self.line(row), Some(column), reason));
                }
                _ => self.numbers(column)?,
            };
            if let Some(&row) = rows.iter().find(|&&row| !(values[row] as f32).is_finite()) {
                return Err(self.not_finite(row, column));
            }
            numbers.push(values);
        }
        let row = |&row: &usize| numbers.iter().map(move |values| values[row] as f32);
        Ok(rows.iter().flat_map(row).collect())
    }

    fn find(&self, column: &Column) -> Result<usize, DataError> {
        let found = self.position(column)?;
        if self.names.len() == 1 {
            let reason = "it is the only column, which leaves no features; use a file with at least \
                          two columns";
            return Err(self.wrong_column(found, reason.to_owned()));
        }
        Ok(found)
    }

    /// The columns that are features.
    fn feature_columns(&self, targets: &[usize]) -> Vec<usize> {
        let other = |&column: &usize| {
            !targets.contains(&column)
                && !self.plan.ignores(column)
                && !self.plan.marks().contains(&column)
        };
        (0..self.names.len()).filter(other).collect()
    }

    /// The rows that are not left out for a gap.
    pub(super) fn kept_rows(&self, targets: &[usize]) -> Result<Vec<usize>, DataError> {
        // A target is used, whatever else was said of it.
        let dropped = |&column: &usize| self.plan.missing_of(column).fill == Missing::Drop;
        let drops = |column: &usize| {
            self.plan.drops(*column) || targets.contains(column) && dropped(column)
        };
        let columns: Vec<usize> = (0..self.names.len()).filter(drops).collect();
        let whole = |&row: &usize| columns.iter().all(|&column| !self.columns[column].is_gap(row));
        let rows: Vec<usize> = (0..self.rows()).filter(whole).collect();
        if rows.is_empty() {
            let reason = "every row has a gap for which it is to be left out";
            return Err(self.wrong(self.line(0), None, reason.to_owned()));
        }
        Ok(rows)
    }

    /// What is no feature cannot be filled.
    pub(super) fn refuse_gaps(&self, column: usize, rows: &[usize]) -> Result<(), DataError> {
        let data = &self.columns[column];
        let gaps = rows.iter().filter(|&&row| data.is_gap(row));
        let Some(&first) = gaps.clone().next() else { return Ok(()) };
        let name = &self.names[column];
        let reason = format!(
            "{}, and {} of {} rows have no value here; a target, weight, group or time is never \
             made up: leave the rows out by .missing({name:?}, Missing::Drop)",
            self.gap(first, column),
            gaps.count(),
            rows.len()
        );
        Err(self.wrong(self.line(first), Some(column), reason))
    }

    /// What is kept beside the features.
    pub(super) fn marks(&self, rows: &[usize]) -> Result<Option<RowMarks>, DataError> {
        let plan = &self.plan;
        let mut marks = RowMarks::default();
        for column in plan.marks() {
            self.refuse_gaps(column, rows)?;
        }
        if let Some(column) = plan.weights {
            let numbers = self.numbers(column)?;
            let is_wrong =
                |&&row: &&usize| !(numbers[row] as f32).is_finite() || numbers[row] < 0.0;
            if let Some(&row) = rows.iter().find(is_wrong) {
                let reason =
                    format!("weight {} is not a finite number of at least 0", numbers[row]);
                return Err(self.wrong(self.line(row), Some(column), reason));
            }
            marks.weights = Some(rows.iter().map(|&row| numbers[row] as f32).collect());
        }
        if let Some(column) = plan.group {
            marks.groups = Some(match &self.columns[column] {
                Data::Texts(texts) => rows.iter().map(|&row| texts.codes[row]).collect(),
                // By value: 7 and 7.0 are one group.
                Data::Numbers(numbers) => {
                    let mut known = BTreeMap::new();
                    let number = |&row: &usize| {
                        let next = known.len() as u32;
                        *known.entry((numbers[row] + 0.0).to_bits()).or_insert(next)
                    };
                    rows.iter().map(number).collect()
                }
            });
        }
        if let Some(column) = plan.time {
            marks.times = Some(self.times(column, rows)?);
        }
        Ok((marks != RowMarks::default()).then_some(marks))
    }

    pub(super) fn times(&self, column: usize, rows: &[usize]) -> Result<Vec<f64>, DataError> {
        let texts = match &self.columns[column] {
            Data::Numbers(numbers) => {
                return match rows.iter().find(|&&row| !numbers[row].is_finite()) {
                    Some(&row) => Err(self.not_finite(row, column)),
                    None => Ok(rows.iter().map(|&row| numbers[row]).collect()),
                };
            }
            Data::Texts(texts) => texts,
        };
        let seconds: Vec<Option<f64>> =
            texts.names.iter().map(|name| dates::date(name).map(dates::seconds)).collect();
        let time = |&row: &usize| {
            let code = texts.codes[row];
            let time = if code == GAP { None } else { seconds[code as usize] };
            time.ok_or_else(|| {
                let reason = format!(
                    "{} is no time; write numbers, or dates such as 2026-11-28 or 2026-11-28 13:05",
                    quoted(&self.field(row, column))
                );
                self.wrong(self.line(row), Some(column), reason)
            })
        };
        rows.iter().map(time).collect()
    }

    fn into_dataset(
        mut self,
        columns: Vec<usize>,
        mut targets: Targets,
        class_names: Option<Vec<String>>,
        rows: Vec<usize>,
    ) -> Result<Dataset, DataError> {
        for column in self.plan.marks() {
            if columns.contains(&column) {
                let reason = "it is a target, and weights, groups or times; it can be one of them";
                return Err(self.wrong_column(column, reason.to_owned()));
            }
        }
        let mut marks = self.marks(&rows)?;
        let features = self.feature_columns(&columns);
        self.check_words(&features)?;
        let rules = features.iter().map(|&column| self.rule(column));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        for (&column, rule) in features.iter().zip(&rules) {
            if rule.missing.fill == Missing::Refuse {
                self.refuse_unfilled(column, &rows)?;
            }
            self.refuse_infinite(column, &rows)?;
        }
        let all = rows.len() == self.rows();
        let mut lines = self.body.lines();
        if !all {
            lines = rows.iter().map(|&row| lines[row]).collect();
        }
        let mut name = self.path.display().to_string();
        let additions = self.additions(&columns, &features, class_names.as_deref())?;
        if !additions.is_empty() {
            let groups = self.plan.group.map(|column| self.columns[column].of(&rows));
            marks = join_marks(marks, groups, &additions);
        }
        let (mut files, mut more) = (Vec::new(), Vec::new());
        for addition in additions {
            let Addition { part, path, unit, lines: of_file, targets: of_rows, features, .. } =
                addition;
            name.push_str(&format!(", {part}: {}", path.display()));
            files.push(FileRows { part, path, unit, first: lines.len() });
            lines.extend(of_file);
            append(&mut targets, of_rows);
            more.push(features);
        }
        let (lines, files): (Arc<[usize]>, Arc<[FileRows]>) = (lines.into(), files.into());
        let mut raw = Raw {
            path: self.path.clone(),
            unit: self.body.unit(),
            named: self.dialect.has_header,
            names: features.iter().map(|&column| self.names[column].clone()).collect(),
            columns: Vec::with_capacity(features.len()),
            lines: lines.clone(),
            files: files.clone(),
            tokenised: OnceLock::new(),
        };
        let origin = Origin::Csv {
            path: absolute(&self.path),
            targets: columns.clone(),
            classes: class_names.is_some(),
            plan: Box::new(self.plan),
        };
        for (column, data) in self.columns.into_iter().enumerate() {
            if features.contains(&column) {
                raw.columns.push(if all { data } else { data.of(&rows) });
            }
        }
        for features in more {
            raw.columns.iter_mut().zip(features).for_each(|(column, more)| column.append(more));
        }
        let kept = Kept {
            origin,
            name,
            targets,
            targets_per_row: columns.len(),
            class_names,
            marks,
            unit: raw.unit,
            lines,
            files,
            fitted: None,
        };
        let source = TableSource::new(raw, rules, kept)?;
        Dataset::from_source(source)
    }

    /// Tells of gaps of which nobody said what they become, while the field can still be shown.
    pub(super) fn refuse_unfilled(&self, column: usize, rows: &[usize]) -> Result<(), DataError> {
        let data = &self.columns[column];
        let Some(&first) = rows.iter().find(|&&row| data.is_gap(row)) else { return Ok(()) };
        let (value, fill) = match data {
            Data::Numbers(_) => ("number", "Mean"),
            Data::Texts(_) if self.plan.dates_of(column).is_some() => ("date", "Median"),
            Data::Texts(_) if self.plan.words_of(column).is_some() => {
                ("text", "Text(String::new())")
            }
            Data::Texts(_) => ("text", "MostFrequent"),
        };
        let name = &self.names[column];
        let reason = format!(
            "{} ({} of {} rows have a gap here); write a {value} or leave the row out, fill it by \
             .missing({name:?}, Missing::{fill}), or leave all such rows out by .missing({name:?}, \
             Missing::Drop)",
            self.gap(first, column),
            rows.iter().filter(|&&row| data.is_gap(row)).count(),
            rows.len()
        );
        Err(self.wrong(self.line(first), Some(column), reason))
    }

    /// Tells of an infinite number while the field can still be shown.
    pub(super) fn refuse_infinite(&self, column: usize, rows: &[usize]) -> Result<(), DataError> {
        let Data::Numbers(numbers) = &self.columns[column] else { return Ok(()) };
        let infinite =
            |&&row: &&usize| !numbers[row].is_nan() && !(numbers[row] as f32).is_finite();
        match rows.iter().find(infinite) {
            Some(&row) => Err(self.not_finite(row, column)),
            None => Ok(()),
        }
    }
}
