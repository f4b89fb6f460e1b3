//! A table from a Parquet file ([format](https://parquet.apache.org/docs/file-format/)), column by
//! column: `kind` (what a column's values mean) → `column` (its values).

mod column;
mod kind;

use std::path::Path;

use ::parquet::basic::{Compression, Repetition};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::Type;
use bytes::Bytes;
use rayon::prelude::*;

use super::input::Format;
use super::typed::{File, NESTED, Values, Wrong, guarded};
use super::{Table, TablePlan};
use crate::DataError;

impl From<ParquetError> for Wrong {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Table {
    /// Reads a Parquet file.
    pub(in crate::table) fn of_parquet(path: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let this = File { path, format: Format::Parquet };
        this.expect_format(&bytes)?;
        let file = guarded(|| Ok(SerializedFileReader::new(Bytes::from(bytes))?));
        let file = file.map_err(|wrong| this.refuse(None, wrong))?;
        let leaves = file.metadata().file_metadata().schema_descr();
        let names = leaves.root_schema().get_fields().iter().map(|field| {
            let flat = flat(field).map(|()| field.name().to_owned());
            flat.map_err(|wrong| this.refuse(Some(field.name()), wrong))
        });
        let columns = this.columns(names.collect::<Result<_, _>>()?)?;
        let values = columns.par_iter().map(|(column, name)| {
            guarded(|| {
                let kind = kind::of(&leaves.column(*column)).map_err(Wrong::Refused)?;
                unpackable(&file, *column)?;
                Values::read(kind, |to| column::read(&file, *column, kind, to))
            })
            .map_err(|wrong| this.refuse(Some(name), wrong))
        });
        let values = values.collect::<Result<_, _>>()?;
        let names = columns.into_iter().map(|(_, name)| name).collect();
        this.table(names, values, TablePlan::of_parquet())
    }
}

/// Refuses what has columns within it.
fn flat(field: &Type) -> Result<(), Wrong> {
    let info = field.get_basic_info();
    let repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
    match field.is_primitive() && !repeated {
        true => Ok(()),
        false => Err(Wrong::Refused(NESTED.to_owned())),
    }
}

/// Refuses a column that is packed in a way for which nothing is built in.
fn unpackable(file: &dyn FileReader, column: usize) -> Result<(), Wrong> {
    for group in file.metadata().row_groups() {
        let how = match group.column(column).compression() {
            Compression::BROTLI(_) => "Brotli",
            Compression::LZO => "LZO",
            _ => continue,
        };
        let reason =
            format!("it is packed with {how}; write it with snappy, gzip, Zstandard or LZ4");
        return Err(Wrong::Refused(reason));
    }
    Ok(())
}
