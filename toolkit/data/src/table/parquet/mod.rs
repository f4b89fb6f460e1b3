//! A table from a Parquet file ([format](https://parquet.apache.org/docs/file-format/)), column by
//! column: `kind` (what a column's values mean) → `column` (its values).

mod column;
mod kind;

use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::Type;
use bytes::Bytes;
use rayon::prelude::*;

use super::fields::Body;
use super::input::is_parquet;
use super::look;
use super::select::first_repeat;
use super::{CsvOptions, Dialect, Table, TablePlan};
use crate::DataError;
use column::Values;
use kind::{As, Kind};

/// What is wrong with a file or a column of it.
enum Wrong {
    /// The file holds what cannot be.
    Damaged(String),
    /// The file is as it was written, and cannot be used.
    Refused(String),
    /// So is one value, that of this row.
    Value(usize, String),
}

impl From<ParquetError> for Wrong {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The crate `parquet` promises an error for a damaged file and panics on some.
fn guarded<T>(read: impl FnOnce() -> Result<T, Wrong>) -> Result<T, Wrong> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Wrong::Damaged("its parts contradict each other".to_owned())))
}

impl Table {
    /// Reads a Parquet file.
    pub(in crate::table) fn of_parquet(path: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let bytes = Bytes::from(bytes);
        let refuse = |place: Option<String>, wrong| {
            let (place, reason) = match (wrong, place) {
                (Wrong::Damaged(why), place) => {
                    (place, format!("its Parquet data is damaged ({why}); fetch the file again"))
                }
                (Wrong::Value(row, why), Some(place)) => (Some(format!("row {row}, {place}")), why),
                (Wrong::Refused(why) | Wrong::Value(_, why), place) => (place, why),
            };
            match place {
                Some(place) => DataError::File { path: path.to_owned(), place, reason },
                None => {
                    let source = IoError::new(ErrorKind::InvalidData, reason);
                    DataError::Read { path: path.to_owned(), source }
                }
            }
        };
        if !is_parquet(&bytes) {
            let reason = "it is no Parquet file; read a CSV file by Dataset::csv";
            return Err(refuse(None, Wrong::Refused(reason.to_owned())));
        }
        let file =
            guarded(|| Ok(SerializedFileReader::new(bytes)?)).map_err(|e| refuse(None, e))?;
        let leaves = file.metadata().file_metadata().schema_descr();
        let place = |name: &str| Some(format!("column {name:?}"));
        let columns = leaves.root_schema().get_fields().iter().map(|field| {
            flat(field)
                .map(|()| field.name().to_owned())
                .map_err(|e| refuse(place(field.name()), e))
        });
        let names = columns.collect::<Result<Vec<String>, _>>()?;
        let columns: Vec<usize> =
            (0..names.len()).filter(|&column| !is_index(&names[column])).collect();
        let names: Vec<String> = columns.iter().map(|&column| names[column].clone()).collect();
        if let Some((_, again)) = first_repeat(&names) {
            let reason = "several columns have this name; rename them".to_owned();
            return Err(refuse(place(&names[again]), Wrong::Refused(reason)));
        }
        let values = columns.par_iter().zip(&names).map(|(&column, name)| {
            guarded(|| {
                let kind = Kind::of(&leaves.column(column)).map_err(Wrong::Refused)?;
                unpackable(&file, column)?;
                let values = column::read(&file, column, kind, kind.natural())?;
                // The numbers round what is in the file.
                let exact = match &values {
                    Values { rounded: true, .. } => {
                        Some(column::read(&file, column, kind, As::Texts)?.texts())
                    }
                    _ => None,
                };
                Ok((values.data, exact.flatten()))
            })
            .map_err(|e| refuse(place(name), e))
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let (data, exact): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let exact = exact.into_iter().enumerate();
        let exact: HashMap<_, _> =
            exact.filter_map(|(column, exact)| Some((column, exact?))).collect();
        let rows = data.first().map_or(0, super::Data::len);
        if names.is_empty() {
            let reason = "it has no columns but an index; write the data as columns".to_owned();
            return Err(refuse(None, Wrong::Refused(reason)));
        }
        if rows == 0 {
            let reason = "it has no rows; it must hold one for each sample".to_owned();
            return Err(refuse(None, Wrong::Refused(reason)));
        }
        Ok(Self {
            path: path.to_owned(),
            body: Body::Values { rows, exact },
            dialect: Dialect { separator: ',', decimal: '.', has_header: true, assumed: false },
            marks: look::marks(b"", &CsvOptions::new().separator(',').decimal('.')),
            missing: Vec::new(),
            names,
            columns: data,
            plan: TablePlan::of_parquet(),
            files: Vec::new(),
        })
    }
}

/// Refuses what has columns within it.
fn flat(field: &Type) -> Result<(), Wrong> {
    let repeated = field.get_basic_info().has_repetition()
        && field.get_basic_info().repetition() == ::parquet::basic::Repetition::REPEATED;
    if field.is_primitive() && !repeated {
        return Ok(());
    }
    let reason = "it is nested (a list, a struct or a map); flatten it into columns of numbers and \
                  texts, or leave it out, where the file is written";
    Err(Wrong::Refused(reason.to_owned()))
}

/// The index that pandas adds where it has no name.
fn is_index(name: &str) -> bool {
    let number = name.strip_prefix("__index_level_").and_then(|name| name.strip_suffix("__"));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
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
