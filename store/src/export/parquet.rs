//! Parquet: a table of runs, or their points, with the types of their values. Needs the cargo
//! feature `parquet`.
//!
//! | | column type |
//! |---|---|
//! | `started_at` | timestamp in UTC, whole microseconds |
//! | `seed`, `steps`, counts and steps of metrics | unsigned 64-bit integer |
//! | `seconds`, values of metrics | double; NaN and the infinities are kept, and NaN is not null |
//! | `params.NAME` | boolean, 64-bit integer, double or text if all runs agree on one; integers beside doubles are doubles; else text |
//! | everything else | text |
//!
//! Pages are compressed with Snappy. Every column but those of points may hold nulls.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{Type, TypePtr};

use super::failed;
use super::table::{self, Cells, Column};
use crate::error::{Result, StoreError};
use crate::record::RunRecord;
use crate::summary::RunSummary;

/// How many points go into one row group.
const GROUP: usize = 1 << 18;

/// Writes the table of runs that [`export`](super) describes.
///
/// # Errors
/// [`StoreError::Export`] when `out` refuses.
pub fn runs(runs: &[RunSummary], out: impl Write + Send) -> Result<()> {
    let columns = table::of_runs(runs);
    write_runs(&columns, out).map_err(refused)
}

fn write_runs(columns: &[Column], out: impl Write + Send) -> ParquetResult<()> {
    let fields = columns
        .iter()
        .map(|column| field(&column.name, Kind::of(&column.cells), Repetition::OPTIONAL));
    let mut file = open(fields.collect::<ParquetResult<_>>()?, out)?;
    let mut group = file.next_row_group()?;
    for column in columns {
        match &column.cells {
            Cells::Bool(cells) => optional::<BoolType, _>(&mut group, cells, |value| *value)?,
            Cells::Int(cells) => optional::<Int64Type, _>(&mut group, cells, |value| *value)?,
            Cells::Count(cells) => {
                optional::<Int64Type, _>(&mut group, cells, |value| value.cast_signed())?
            }
            Cells::Float(cells) => optional::<DoubleType, _>(&mut group, cells, |value| *value)?,
            Cells::Text(cells) => {
                optional::<ByteArrayType, _>(&mut group, cells, |value| value.as_str().into())?
            }
            Cells::Time(cells) => {
                optional::<Int64Type, _>(&mut group, cells, |value| value.as_microsecond())?
            }
        }
    }
    group.close()?;
    file.close().map(drop)
}

/// Writes the points of runs, one in a row, run by run and metric by metric.
///
/// # Errors
/// The first error of `records`, and [`StoreError::Export`] when `out` refuses.
pub fn points(
    records: impl IntoIterator<Item = Result<RunRecord>>,
    out: impl Write + Send,
) -> Result<()> {
    let fields = [
        ("run", Kind::Text),
        ("metric", Kind::Text),
        ("step", Kind::Count),
        ("value", Kind::Float),
    ];
    let fields = fields.map(|(name, kind)| field(name, kind, Repetition::REQUIRED));
    let fields = fields.into_iter().collect::<ParquetResult<_>>().map_err(refused)?;
    let mut file = open(fields, out).map_err(refused)?;
    let mut rows = Points::default();
    for record in records {
        let record = record?;
        let run = ByteArray::from(record.summary.id.as_str());
        for (name, series) in &record.series {
            let metric = ByteArray::from(name.as_str());
            for points in series.chunks(GROUP) {
                if rows.values.len() + points.len() > GROUP {
                    rows.write(&mut file).map_err(refused)?;
                }
                rows.push(&run, &metric, points);
            }
        }
    }
    rows.write(&mut file).and_then(|()| file.close()).map(drop).map_err(refused)
}

/// The rows of a group that is not written yet.
#[derive(Default)]
struct Points {
    runs: Vec<ByteArray>,
    metrics: Vec<ByteArray>,
    steps: Vec<i64>,
    values: Vec<f64>,
}

impl Points {
    fn push(&mut self, run: &ByteArray, metric: &ByteArray, points: &[(u64, f64)]) {
        self.runs.extend(std::iter::repeat_n(run, points.len()).cloned());
        self.metrics.extend(std::iter::repeat_n(metric, points.len()).cloned());
        self.steps.extend(points.iter().map(|point| point.0.cast_signed()));
        self.values.extend(points.iter().map(|point| point.1));
    }

    fn write<W: Write + Send>(&mut self, file: &mut SerializedFileWriter<W>) -> ParquetResult<()> {
        let rows = std::mem::take(self);
        if rows.values.is_empty() {
            return Ok(());
        }
        let mut group = file.next_row_group()?;
        column::<ByteArrayType, _>(&mut group, &rows.runs, None)?;
        column::<ByteArrayType, _>(&mut group, &rows.metrics, None)?;
        column::<Int64Type, _>(&mut group, &rows.steps, None)?;
        column::<DoubleType, _>(&mut group, &rows.values, None)?;
        group.close().map(drop)
    }
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Int,
    Count,
    Float,
    Text,
    Time,
}

impl Kind {
    fn of(cells: &Cells) -> Kind {
        match cells {
            Cells::Bool(_) => Kind::Bool,
            Cells::Int(_) => Kind::Int,
            Cells::Count(_) => Kind::Count,
            Cells::Float(_) => Kind::Float,
            Cells::Text(_) => Kind::Text,
            Cells::Time(_) => Kind::Time,
        }
    }
}

fn field(name: &str, kind: Kind, repetition: Repetition) -> ParquetResult<TypePtr> {
    let (physical, logical) = match kind {
        Kind::Bool => (PhysicalType::BOOLEAN, None),
        Kind::Int => (PhysicalType::INT64, Some(LogicalType::integer(64, true))),
        Kind::Count => (PhysicalType::INT64, Some(LogicalType::integer(64, false))),
        Kind::Float => (PhysicalType::DOUBLE, None),
        Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Time => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    builder.with_logical_type(logical).build().map(Arc::new)
}

fn open<W: Write + Send>(fields: Vec<TypePtr>, out: W) -> ParquetResult<SerializedFileWriter<W>> {
    let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("trainbook {}", env!("CARGO_PKG_VERSION")));
    SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()))
}

/// Writes a column in which cells may be missing.
fn optional<D: DataType, T>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    cells: &[Option<T>],
    value: impl FnMut(&T) -> D::T,
) -> ParquetResult<()> {
    let present: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<D::T> = cells.iter().flatten().map(value).collect();
    column::<D, _>(group, &values, Some(&present))
}

fn column<D: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[D::T],
    present: Option<&[i16]>,
) -> ParquetResult<()> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General(
            "the schema has fewer columns than the table".to_owned(),
        ));
    };
    column.typed::<D>().write_batch(values, present, None)?;
    column.close()
}

/// The system's own error where there is one inside.
fn refused(error: ParquetError) -> StoreError {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => *error,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    failed("Parquet")(error)
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::{Field, Row};

    use super::super::samples;
    use super::*;

    fn read(bytes: Vec<u8>) -> Vec<Row> {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect()
    }

    fn get(row: &Row, name: &str) -> Field {
        let found = row.get_column_iter().find(|(column, _)| *column == name);
        found.unwrap_or_else(|| panic!("no column {name}")).1.clone()
    }

    #[test]
    fn a_table_of_runs_keeps_types_and_missing_cells() {
        let other = samples::record(2, &[("lr", 1.into()), ("n", 3.into())], &[]);
        let mut bytes = Vec::new();
        runs(&[samples::odd().summary, other.summary], &mut bytes).unwrap();
        let rows = read(bytes);
        assert_eq!(get(&rows[0], "id"), Field::Str("20261123-230412-000001".into()));
        assert_eq!(get(&rows[0], "seed"), Field::ULong(u64::MAX));
        assert_eq!(get(&rows[0], "started_at"), Field::TimestampMicros(1_795_475_052_250_000));
        assert_eq!(
            (get(&rows[0], "params.on"), get(&rows[1], "params.on")),
            (Field::Bool(true), Field::Null)
        );
        assert_eq!(
            (get(&rows[0], "params.n"), get(&rows[1], "params.n")),
            (Field::Null, Field::Long(3))
        );
        assert_eq!(get(&rows[0], "params.lr"), Field::Double(f64::INFINITY));
        assert_eq!(get(&rows[1], "params.lr"), Field::Double(1.0));
        assert_eq!(get(&rows[0], "metrics.loss.nan_count"), Field::ULong(1));
        assert_eq!(get(&rows[1], "metrics.loss.last"), Field::Null);
    }

    #[test]
    fn points_fill_several_row_groups_and_read_back() {
        let many: Vec<_> = (0..GROUP as u64 + 10).map(|step| ("loss", step, step as f64)).collect();
        let mut bytes = Vec::new();
        points([Ok(samples::odd()), Ok(samples::record(2, &[], &many))], &mut bytes).unwrap();
        let rows = read(bytes);
        assert_eq!(rows.len(), 6 + GROUP + 10);
        let of = |row: &Row| {
            let (Field::ULong(step), Field::Double(value)) = (get(row, "step"), get(row, "value"))
            else {
                panic!("{row:?}");
            };
            (get(row, "metric").to_string(), step, value.to_bits())
        };
        let quoted = |name: &str| format!("\"{name}\"");
        assert_eq!(of(&rows[1]), (quoted("loss"), 2, f64::NAN.to_bits()));
        assert_eq!(of(&rows[3]), (quoted("loss"), 3, f64::NEG_INFINITY.to_bits()));
        assert_eq!(of(&rows[5]), (quoted("val, loss"), 4, (-0.0_f64).to_bits()));
        for (row, step) in rows[6..].iter().zip(0_u64..) {
            assert_eq!(of(row), (quoted("loss"), step, (step as f64).to_bits()));
            assert_eq!(get(row, "run"), Field::Str("20261123-230412-000002".into()));
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let error = runs(&[samples::odd().summary], &mut [0; 100][..]).unwrap_err().to_string();
        assert!(
            error.starts_with("write the Parquet export: ") && error.contains("failed to write"),
            "{error}"
        );
    }
}
