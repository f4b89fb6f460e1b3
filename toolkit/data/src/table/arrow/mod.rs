//! A table from an Arrow IPC file or stream
//! ([format](https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc)):
//! `messages` (where its parts are) → `batches` (parts as arrays) → `kind` (what a column's values
//! mean) → `column` (its values).

mod batches;
mod column;
mod kind;
mod messages;

use std::path::Path;

use arrow_buffer::Buffer;
use arrow_schema::ArrowError;
use rayon::prelude::*;

use super::input::Format;
use super::typed::{File, Values, Wrong, guarded};
use super::{Table, TablePlan};
use crate::DataError;
use messages::Messages;

impl From<ArrowError> for Wrong {
    fn from(error: ArrowError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Table {
    /// Reads an Arrow file.
    pub(in crate::table) fn of_arrow(path: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let this = File { path, format: Format::Arrow };
        this.expect_format(&bytes)?;
        let bytes = Buffer::from_vec(bytes);
        let messages =
            guarded(|| Messages::of(&bytes)).map_err(|wrong| this.refuse(None, wrong))?;
        let fields = messages.schema.fields();
        let names = fields.iter().map(|field| field.name().clone());
        let columns = this.columns(names.collect())?;
        let kinds = columns.iter().map(|(column, name)| {
            let kind = kind::of(&fields[*column]).map_err(Wrong::Refused);
            kind.map_err(|wrong| this.refuse(Some(name), wrong))
        });
        let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<usize> = columns.iter().map(|(column, _)| *column).collect();
        let batches = guarded(|| batches::read(&bytes, &messages, &wanted));
        let batches = batches.map_err(|wrong| this.refuse(None, wrong))?;
        let values = columns.par_iter().zip(&kinds).enumerate().map(|(at, ((_, name), &kind))| {
            let read = |to: &mut _| {
                batches.iter().try_for_each(|batch| column::read(batch.column(at), kind, to))
            };
            guarded(|| Values::read(kind, read)).map_err(|wrong| this.refuse(Some(name), wrong))
        });
        let values = values.collect::<Result<_, _>>()?;
        let names = columns.into_iter().map(|(_, name)| name).collect();
        this.table(names, values, TablePlan::of_arrow())
    }
}
