//! Which columns are meant.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;

use trainbook_core::nearest::nearest;

use crate::DataError;

/// Which column of a table: by name, by number counted from 0, or the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column(pub(super) Which);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
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
pub struct Columns(pub(super) Vec<Column>);

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

/// Where the column of this name stands in the file at `path`.
pub(crate) fn named<'n>(
    path: &Path,
    name: &str,
    columns: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, DataError> {
    if let Some(found) = columns.clone().position(|known| known == name) {
        return Ok(found);
    }
    let nearest = nearest(name, columns);
    Err(DataError::File {
        path: path.to_owned(),
        place: format!("column {name:?}"),
        reason: format!(
            "there is no such column; the nearest is {:?}",
            nearest.unwrap_or_default()
        ),
    })
}

/// The places of the first entry that is there before, and of that.
pub(crate) fn first_repeat<T: Hash + Eq>(entries: &[T]) -> Option<(usize, usize)> {
    let mut known = HashMap::with_capacity(entries.len());
    let again = |(at, entry)| Some((known.insert(entry, at)?, at));
    entries.iter().enumerate().find_map(again)
}
