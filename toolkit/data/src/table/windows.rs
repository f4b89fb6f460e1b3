//! From a table to windows of a long series.

use super::{Columns, Table, quoted};
use crate::recipe::{Origin, absolute};
use crate::source::Series;
use crate::{DataError, Dataset, WindowOptions};

impl Table {
    /// A data set of the windows of a long series, as [`Dataset::windows`] cuts them: its channels
    /// are these columns of numbers, in this order, its positions the rows, in the order of the file.
    /// Other columns are left out. A row is `[channels, length]`; its targets are the next `horizon`
    /// values of the channels that [`WindowOptions::targets`] counts, from 0 in the order of
    /// `columns`.
    ///
    /// With a column of [`time`](Self::time) each row must be later than the one before; how much
    /// later does not count. A gap in a channel is refused, or becomes the number of
    /// [`Missing::Constant`]; nothing else fills it, for that would tell of what comes later.
    ///
    /// A stored run makes its windows again from the file. To predict, it takes rows as the network
    /// does, `[windows, channels, length]`; `trainbook runs predict` reads no windows from a file.
    ///
    /// # Errors
    /// There is no such column, none is named, or one twice; one has texts or gaps; times do not
    /// ascend; weights or groups were said, which windows do not have, or rows are to be left out;
    /// or the options are refused, as by [`Dataset::windows`].
    pub fn windows(
        self,
        columns: impl Into<Columns>,
        options: WindowOptions,
    ) -> Result<Dataset, DataError> {
        self.refuse_files("windows")?;
        let columns = self.positions(&columns.into())?;
        if columns.is_empty() {
            return Err(self.nothing_named("channels"));
        }
        let channels = columns.iter().map(|&column| (column, "channel"));
        let time = self.plan.time.map(|column| (column, "time"));
        self.refuse_two_roles(&time.into_iter().chain(channels).collect::<Vec<_>>())?;
        for (said, what) in [(self.plan.weights, "weights"), (self.plan.group, "groups")] {
            if let Some(column) = said {
                let reason =
                    format!("it has {what}, and windows of many rows have none; leave them unsaid");
                return Err(self.wrong_column(column, reason));
            }
        }
        let mut others = (0..self.names.len()).filter(|column| !columns.contains(column));
        if let Some(column) = others.find(|&column| self.plan.drops(column)) {
            let reason = "rows with a gap here are to be left out, which would join what is apart \
                          in time; write the gaps, or leave this unsaid";
            return Err(self.wrong_column(column, reason.to_owned()));
        }
        let rows: Vec<usize> = (0..self.rows()).collect();
        if let Some(column) = self.plan.time {
            self.refuse_disorder(column, &rows)?;
        }
        let values = self.channels(&columns, &rows)?;
        let series = Series {
            name: self.path.display().to_string(),
            channels: columns.iter().map(|&column| self.names[column].clone()).collect(),
            values,
            lines: Some((self.body.unit(), self.body.lines())),
            origin: Origin::Windows {
                path: absolute(&self.path),
                columns,
                options: options.clone(),
                plan: Box::new(self.plan),
            },
        };
        series.cut(options)
    }

    /// Each time must be later than the one before.
    fn refuse_disorder(&self, column: usize, rows: &[usize]) -> Result<(), DataError> {
        self.refuse_gaps_in_series(column, rows, "write the time of every row")?;
        let times = self.times(column, rows)?;
        let Some(at) = times.windows(2).position(|pair| pair[0] >= pair[1]) else {
            return Ok(());
        };
        let (before, row) = (rows[at], rows[at + 1]);
        let unit = self.body.unit();
        let what = match times[at] == times[at + 1] {
            true => "the same time as",
            false => "earlier than",
        };
        let reason = format!(
            "{} is {what} {} in {unit} {}; sort the {unit}s of the file by this column, each time \
             once",
            quoted(self.field(row, column).trim()),
            quoted(self.field(before, column).trim()),
            self.line(before)
        );
        Err(self.wrong(self.line(row), Some(column), reason))
    }
}
