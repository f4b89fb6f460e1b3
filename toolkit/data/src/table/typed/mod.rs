//! What the formats share whose files say what each of their columns holds: `kind` (what a column's
//! values mean) → `column` (its values) → a [`Table`].

mod column;
mod kind;

use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub(super) use column::{Growing, Values};
pub(super) use kind::{As, Kind, NANOSECONDS_OF_A_DAY, NEITHER, NESTED, TOO_LONG, Value};

use super::fields::Body;
use super::input::Format;
use super::look;
use super::select::first_repeat;
use super::{CsvOptions, Dialect, Table, TablePlan};
use crate::DataError;

/// What is wrong with a file or a column of it.
pub(super) enum Wrong {
    /// The file holds what cannot be.
    Damaged(String),
    /// The file is as it was written, and cannot be used.
    Refused(String),
    /// So is one value, that of this row.
    Value(usize, String),
}

/// The crates that read such files promise an error for a damaged one and panic on some.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, Wrong>) -> Result<T, Wrong> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Wrong::Damaged("its parts contradict each other".to_owned())))
}

/// A file that is being read.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub path: &'a Path,
    pub format: Format,
}

impl File<'_> {
    /// Says what is wrong with the file, or with a column of it.
    pub(super) fn refuse(self, column: Option<&str>, wrong: Wrong) -> DataError {
        let place = column.map(|name| format!("column {name:?}"));
        let (place, reason) = match (wrong, place) {
            (Wrong::Damaged(why), place) => {
                let format = self.format.name();
                (place, format!("its {format} data is damaged ({why}); fetch the file again"))
            }
            (Wrong::Value(row, why), Some(place)) => (Some(format!("row {row}, {place}")), why),
            (Wrong::Refused(why) | Wrong::Value(_, why), place) => (place, why),
        };
        match place {
            Some(place) => DataError::File { path: self.path.to_owned(), place, reason },
            None => {
                let source = IoError::new(ErrorKind::InvalidData, reason);
                DataError::Read { path: self.path.to_owned(), source }
            }
        }
    }

    /// Refuses bytes that do not begin as such a file does, and says by what they are read.
    pub(super) fn expect_format(self, bytes: &[u8]) -> Result<(), DataError> {
        let reason = match Format::of(bytes) {
            Some(found) if found == self.format => return Ok(()),
            Some(found) => found.how_to_read().to_owned(),
            None => {
                format!("it is no {} file; read a CSV file by Dataset::csv", self.format.name())
            }
        };
        Err(self.refuse(None, Wrong::Refused(reason)))
    }

    /// The columns of these names that are a table's, with where they stand in the file.
    pub(super) fn columns(self, names: Vec<String>) -> Result<Vec<(usize, String)>, DataError> {
        let columns = names.into_iter().enumerate();
        let columns: Vec<_> = columns.filter(|(_, name)| !is_index(name)).collect();
        let names: Vec<&str> = columns.iter().map(|(_, name)| name.as_str()).collect();
        if let Some((_, again)) = first_repeat(&names) {
            let reason = "several columns have this name; rename them".to_owned();
            return Err(self.refuse(Some(names[again]), Wrong::Refused(reason)));
        }
        if columns.is_empty() {
            let reason = "it has no columns but an index; write the data as columns".to_owned();
            return Err(self.refuse(None, Wrong::Refused(reason)));
        }
        Ok(columns)
    }

    /// The table of these columns.
    pub(super) fn table(
        self,
        names: Vec<String>,
        columns: Vec<Values>,
        plan: TablePlan,
    ) -> Result<Table, DataError> {
        let rows = columns.first().map_or(0, |column| column.data.len());
        if rows == 0 {
            let reason = "it has no rows; it must hold one for each sample".to_owned();
            return Err(self.refuse(None, Wrong::Refused(reason)));
        }
        let mut exact = HashMap::new();
        let columns = columns.into_iter().enumerate().map(|(column, values)| {
            exact.extend(values.exact.map(|texts| (column, texts)));
            values.data
        });
        let columns = columns.collect();
        Ok(Table {
            path: self.path.to_owned(),
            body: Body::Values { rows, exact },
            dialect: Dialect { separator: ',', decimal: '.', has_header: true, assumed: false },
            marks: look::marks(b"", &CsvOptions::new().separator(',').decimal('.')),
            missing: Vec::new(),
            names,
            columns,
            plan,
            files: Vec::new(),
        })
    }
}

/// The index that pandas adds where it has no name.
fn is_index(name: &str) -> bool {
    let number = name.strip_prefix("__index_level_").and_then(|name| name.strip_suffix("__"));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}
