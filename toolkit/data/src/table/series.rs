//! From a table in the long format, a line for each position of a series, to a data set.

use std::collections::HashSet;

use super::data::Data;
use super::{Column, ColumnType, Columns, Table, quoted};
use crate::long::{Lines, Ragged, series_of, wide};
use crate::recipe::{Origin, absolute};
use crate::source::Memory;
use crate::{DataError, Dataset, Targets};

/// Series in a table, a line for each position, before it is said what is to be predicted of each;
/// [`Table::series`] makes it.
#[derive(Debug)]
pub struct LongSeries {
    table: Table,
    id: usize,
    time: usize,
    values: Vec<usize>,
}

impl Table {
    /// Says that each line is a position of a series: the column `id` tells of which series, `time`
    /// when (numbers, or dates such as `2026-11-28 13:05`), and `values` are its channels, columns
    /// of numbers. Lines may be in any order; an id is a text as it is written, so that `7` and `7.0`
    /// are two. Other columns are left out, but for the targets that are named next, weights, groups
    /// and times of rows, which must be the same in all lines of a series.
    ///
    /// ```text
    /// pump,when,pressure,flow,state       .series("pump", "when", ["pressure", "flow"])?
    /// a,1,2.0,0.5,good                    .target("state")?
    /// a,2,2.5,0.5,good                    2 rows [channels 2, length 2]: "a" is good, "b" is bad
    /// b,1,7.0,0.0,bad
    /// b,2,7.5,0.1,bad
    /// ```
    ///
    /// # Errors
    /// There is no such column, none is a channel, or one is to be two things.
    pub fn series(
        mut self,
        id: impl Into<Column>,
        time: impl Into<Column>,
        values: impl Into<Columns>,
    ) -> Result<LongSeries, DataError> {
        self.refuse_files("series")?;
        let (id, time) = (self.position(&id.into())?, self.position(&time.into())?);
        let values = self.positions(&values.into())?;
        if values.is_empty() {
            return Err(self.nothing_named("channels"));
        }
        // Whole numbers beyond 2⁵³ would be rounded, and two series one.
        self.retype(id, ColumnType::Category)?;
        let series = LongSeries { table: self, id, time, values };
        series.refuse_two_roles(&[])?;
        Ok(series)
    }
}

/// What the lines make.
struct Gathered {
    /// The rows of the table that count.
    rows: Vec<usize>,
    /// The lines of each series: places in `rows`.
    series: Vec<Lines>,
    /// The first row of each series.
    first: Vec<usize>,
}

impl LongSeries {
    /// A data set of the series, a row `[channels, length]` for each id, in the order of their first
    /// lines; its targets are the classes in `column`, as with [`Table::target`].
    ///
    /// A stored run makes its series again from the file. To predict, it takes rows as the network
    /// does, `[series, channels, length]`; `trainbook runs predict` reads no series from a file.
    ///
    /// # Errors
    /// There is no such column, or it is no other than those of the series; an id, a time, a value
    /// (but for [`Missing::Constant`](super::Missing::Constant)) or a target has a gap; a value is no
    /// number, a time no time or twice in a series; series have different lengths; the target, the
    /// weight or the group is not the same in all lines of a series; or classes are refused, as by
    /// [`Table::target`].
    pub fn target(self, column: impl Into<Column>) -> Result<Dataset, DataError> {
        let column = self.table.position(&column.into())?;
        let gathered = self.gather(&[column])?;
        let (labels, names) = self.table.class_targets(column, &gathered.first)?;
        self.into_dataset(vec![column], Targets::Classes(labels), Some(names), &gathered)
    }

    /// The same with real numbers in a column, or in several, as with [`Table::target_values`].
    ///
    /// # Errors
    /// As [`target`](Self::target); or no column is named, one is named twice, or one has texts.
    pub fn target_values(self, columns: impl Into<Columns>) -> Result<Dataset, DataError> {
        let columns = self.table.positions(&columns.into())?;
        if columns.is_empty() {
            return Err(self.table.nothing_named("targets"));
        }
        let gathered = self.gather(&columns)?;
        let values = self.table.value_targets(&columns, &gathered.first)?;
        self.into_dataset(columns, Targets::Values(values), None, &gathered)
    }

    fn refuse_two_roles(&self, targets: &[usize]) -> Result<(), DataError> {
        let plan = &self.table.plan;
        let mut roles = vec![(self.id, "series' id"), (self.time, "series' time")];
        roles.extend(self.values.iter().map(|&column| (column, "channel")));
        roles.extend(targets.iter().map(|&column| (column, "target")));
        roles.extend(plan.weights.map(|column| (column, "weight")));
        roles.extend(plan.group.map(|column| (column, "group")));
        roles.extend(plan.time.map(|column| (column, "time of a row")));
        self.table.refuse_two_roles(&roles)
    }

    fn gather(&self, targets: &[usize]) -> Result<Gathered, DataError> {
        self.refuse_two_roles(targets)?;
        let table = &self.table;
        // Before rows are left out for a gap.
        self.values.iter().try_for_each(|&column| table.constant_fill(column).map(drop))?;
        let roles = [&[self.id, self.time], targets, &table.plan.marks()[..]].concat();
        self.refuse_other_drops(&roles)?;
        let rows = table.kept_rows(&[&[self.id, self.time], targets].concat())?;
        self.refuse_parts(&rows)?;
        for column in [self.id, self.time] {
            table.refuse_gaps_in_series(column, &rows, "write it in every line")?;
        }
        let ids = self.ids(rows.iter().copied());
        let times = table.times(self.time, &rows)?;
        let series = series_of(&ids, &times).map_err(|ragged| self.ragged(&ragged, &rows))?;
        for column in targets.iter().copied().chain(table.plan.marks()) {
            let cure = "write it in every line of its series";
            table.refuse_gaps_in_series(column, &rows, cure)?;
            self.refuse_change(column, &series, &rows)?;
        }
        let first = series.iter().map(|lines| rows[lines.first]).collect();
        Ok(Gathered { rows, series, first })
    }

    /// Lines are left out for gaps in what says something of a series, and not in other columns.
    fn refuse_other_drops(&self, roles: &[usize]) -> Result<(), DataError> {
        let drops = |&column: &usize| self.table.plan.drops(column) && !roles.contains(&column);
        let Some(column) = (0..self.table.names.len()).find(drops) else { return Ok(()) };
        let reason = format!(
            "its lines with a gap are to be left out, and it has no part in the series; leave it \
             out by .ignore({:?})",
            self.table.names[column]
        );
        Err(self.table.wrong_column(column, reason))
    }

    /// A series is kept whole or not at all.
    fn refuse_parts(&self, rows: &[usize]) -> Result<(), DataError> {
        let table = &self.table;
        if rows.len() == table.rows() {
            return Ok(());
        }
        let ids = self.ids(0..table.rows());
        let kept: HashSet<u32> = rows.iter().map(|&row| ids[row]).collect();
        let is_lost = |row: &usize| rows.binary_search(row).is_err() && kept.contains(&ids[*row]);
        let Some(row) = (0..table.rows()).find(is_lost) else { return Ok(()) };
        let reason = format!(
            "the series {} would lose this {} for a gap, and keep others; fill the gap in the file, \
             or leave the whole series out",
            self.series_at(row),
            table.body.unit()
        );
        Err(table.wrong(table.line(row), Some(self.id), reason))
    }

    /// The numbers of the series of these rows.
    fn ids(&self, rows: impl IntoIterator<Item = usize>) -> Vec<u32> {
        match &self.table.columns[self.id] {
            Data::Texts(texts) => rows.into_iter().map(|row| texts.codes[row]).collect(),
            // It was made a category.
            Data::Numbers(_) => Vec::new(),
        }
    }

    /// The id of a row's series, for messages.
    fn series_at(&self, row: usize) -> String {
        quoted(self.table.field(row, self.id).trim())
    }

    fn ragged(&self, ragged: &Ragged, rows: &[usize]) -> DataError {
        let (table, unit) = (&self.table, self.table.body.unit());
        let line = |at: usize| table.line(rows[at]);
        match *ragged {
            Ragged::Time(at) => table.not_finite(rows[at], self.time),
            Ragged::Twice(one, two) => {
                let reason = format!(
                    "the series {} has the time {} in {unit} {}, too; leave one of them out",
                    self.series_at(rows[two]),
                    quoted(table.field(rows[two], self.time).trim()),
                    line(one)
                );
                table.wrong(line(two), Some(self.time), reason)
            }
            Ragged::Length { other: (other, lines), all: (first, length) } => {
                let reason = format!(
                    "the series {} has {lines} {unit}s, and {}, which begins in {unit} {}, has \
                     {length}; all must have as many, so cut or fill them",
                    self.series_at(rows[other]),
                    self.series_at(rows[first]),
                    line(first)
                );
                table.wrong(line(other), Some(self.id), reason)
            }
        }
    }

    /// A series has one of this column.
    fn refuse_change(
        &self,
        column: usize,
        series: &[Lines],
        rows: &[usize],
    ) -> Result<(), DataError> {
        let table = &self.table;
        let same = |a: usize, b: usize| match &table.columns[column] {
            Data::Numbers(numbers) => numbers[a] == numbers[b],
            Data::Texts(texts) => texts.codes[a] == texts.codes[b],
        };
        for lines in series {
            let first = rows[lines.first];
            let other = lines.in_time.iter().map(|&at| rows[at]).filter(|&row| !same(first, row));
            let Some(other) = other.min() else { continue };
            let reason = format!(
                "{} is not {}, which {} {} says of the same series, {}; it must be the same in all \
                 lines of a series",
                quoted(table.field(other, column).trim()),
                quoted(table.field(first, column).trim()),
                table.body.unit(),
                table.line(first),
                self.series_at(first)
            );
            return Err(table.wrong(table.line(other), Some(column), reason));
        }
        Ok(())
    }

    fn into_dataset(
        self,
        columns: Vec<usize>,
        targets: Targets,
        class_names: Option<Vec<String>>,
        gathered: &Gathered,
    ) -> Result<Dataset, DataError> {
        let Gathered { rows, series, first } = gathered;
        let marks = self.table.marks(first)?;
        let is_of_classes = class_names.is_some();
        let ([_, channels, length], features) =
            wide(series, &self.table.channels(&self.values, rows)?);
        let places = first.iter().map(|&row| format!("series {}", self.series_at(row))).collect();
        let LongSeries { table, id, time, values } = self;
        let names = values.iter().map(|&column| &table.names[column]);
        let position = |name| (0..length).map(move |at| format!("{name}[{at}]"));
        Dataset::from_source(Memory {
            name: table.path.display().to_string(),
            shape: vec![channels, length],
            feature_names: names.flat_map(position).collect(),
            features,
            targets,
            targets_per_row: columns.len(),
            class_names,
            marks,
            places,
            origin: Origin::Series {
                path: absolute(&table.path),
                id,
                time,
                values,
                targets: columns,
                classes: is_of_classes,
                plan: Box::new(table.plan),
            },
        })
    }
}
