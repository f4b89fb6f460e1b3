//! The values of a column.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::file::reader::FileReader;

use super::super::typed::{Growing, Kind, Value, Wrong};
use super::kind::{bytes, julian};

/// So many values are read at once.
const AT_ONCE: usize = 1 << 14;

/// Reads a column of the whole file.
pub(super) fn read(
    file: &dyn FileReader,
    column: usize,
    kind: Kind,
    to: &mut Growing,
) -> Result<(), Wrong> {
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group)?;
        let rows = group.metadata().num_rows();
        to.reserve(usize::try_from(rows).unwrap_or_default())?;
        let read = match group.get_column_reader(column)? {
            ColumnReader::BoolColumnReader(reader) => {
                each(reader, to, |&value| Ok(Value::Whole(value.into())))
            }
            ColumnReader::Int32ColumnReader(reader) => each(reader, to, |&value| match kind {
                Kind::Unsigned => kind.whole(value.cast_unsigned().into()),
                _ => kind.whole(value.into()),
            }),
            ColumnReader::Int64ColumnReader(reader) => each(reader, to, |&value| match kind {
                Kind::Unsigned => kind.whole(value.cast_unsigned().into()),
                _ => kind.whole(value.into()),
            }),
            ColumnReader::Int96ColumnReader(reader) => {
                each(reader, to, |value| julian(kind, value))
            }
            ColumnReader::FloatColumnReader(reader) => {
                each(reader, to, |&value| Ok(Value::Number(value.into())))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                each(reader, to, |&value| Ok(Value::Number(value)))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                each(reader, to, |value| bytes(kind, value.data()))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                each(reader, to, |value| bytes(kind, value.data()))
            }
        }?;
        if i64::try_from(read) != Ok(rows) {
            return Err(Wrong::Damaged(format!("there are {read} values for {rows} rows")));
        }
    }
    Ok(())
}

/// Reads the values of a column in a group of rows, and says how many there are.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    to: &mut Growing,
    value: impl for<'a> Fn(&'a T::T) -> Result<Value<'a>, String>,
) -> Result<usize, Wrong> {
    let (mut levels, mut values, mut count) = (Vec::new(), Vec::new(), 0);
    loop {
        levels.clear();
        values.clear();
        let (rows, present, _) =
            reader.read_records(AT_ONCE, Some(&mut levels), None, &mut values)?;
        if rows == 0 {
            return Ok(count);
        }
        count += rows;
        let mut present = values.iter().take(present);
        for row in 0..rows {
            // A column without gaps has no levels.
            let is_there = levels.get(row).is_none_or(|&level| level > 0);
            match is_there.then(|| present.next()).flatten() {
                None => to.gap(),
                Some(found) => {
                    let row = to.len();
                    to.push(value(found).map_err(|why| Wrong::Value(row, why))?);
                }
            }
        }
    }
}
