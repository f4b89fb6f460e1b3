//! The values of a column.

use std::collections::HashMap;

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::file::reader::FileReader;

use super::super::data::{Data, GAP, Texts};
use super::Wrong;
use super::kind::{As, Kind, Value};

/// A column.
pub(super) struct Values {
    pub data: Data,
    /// Whether whole numbers are not what was in the file, because f64 does not hold them.
    pub rounded: bool,
}

impl Values {
    pub(super) fn texts(self) -> Option<Texts> {
        match self.data {
            Data::Texts(texts) => Some(texts),
            Data::Numbers(_) => None,
        }
    }
}

/// So many values are read at once.
const AT_ONCE: usize = 1 << 14;

/// Reads a column of the whole file.
pub(super) fn read(
    file: &dyn FileReader,
    column: usize,
    kind: Kind,
    wanted: As,
) -> Result<Values, Wrong> {
    let mut growing = Growing::new(wanted);
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group)?;
        let rows = group.metadata().num_rows();
        let to = &mut growing;
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
            ColumnReader::Int96ColumnReader(reader) => each(reader, to, |value| kind.julian(value)),
            ColumnReader::FloatColumnReader(reader) => {
                each(reader, to, |&value| Ok(Value::Number(value.into())))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                each(reader, to, |&value| Ok(Value::Number(value)))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                each(reader, to, |value| kind.bytes(value.data()))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                each(reader, to, |value| kind.bytes(value.data()))
            }
        }?;
        if i64::try_from(read) != Ok(rows) {
            return Err(Wrong::Damaged(format!("there are {read} values for {rows} rows")));
        }
    }
    Ok(growing.finish())
}

/// Reads the values of a column in a group of rows, and says how many there are.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    to: &mut Growing,
    value: impl Fn(&T::T) -> Result<Value, String>,
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

/// A column as it grows.
enum Growing {
    Numbers { numbers: Vec<f64>, rounded: bool },
    Texts { texts: Texts, known: HashMap<String, u32> },
}

impl Growing {
    fn new(wanted: As) -> Self {
        match wanted {
            As::Numbers => Self::Numbers { numbers: Vec::new(), rounded: false },
            As::Texts => Self::Texts { texts: Texts::default(), known: HashMap::new() },
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers { numbers, .. } => numbers.len(),
            Self::Texts { texts, .. } => texts.codes.len(),
        }
    }

    fn gap(&mut self) {
        match self {
            Self::Numbers { numbers, .. } => numbers.push(f64::NAN),
            Self::Texts { texts, .. } => texts.codes.push(GAP),
        }
    }

    fn push(&mut self, value: Value) {
        match (&mut *self, value) {
            (Self::Numbers { numbers, .. }, Value::Number(number)) => numbers.push(number),
            (Self::Numbers { numbers, rounded }, Value::Whole(whole)) => {
                *rounded |= (whole as f64) as i128 != whole;
                numbers.push(whole as f64);
            }
            (Self::Texts { texts, known }, value) => {
                let text = match value {
                    Value::Number(number) => number.to_string(),
                    Value::Whole(whole) => whole.to_string(),
                    Value::Text(text) => text,
                };
                // As in other tables: spaces around a text are none of it, and an empty one is a
                // gap.
                let code = match text.trim() {
                    "" => GAP,
                    text => match known.get(text) {
                        Some(&code) => code,
                        None => {
                            let code = texts.names.len() as u32;
                            texts.names.push(text.to_owned());
                            known.insert(text.to_owned(), code);
                            code
                        }
                    },
                };
                texts.codes.push(code);
            }
            // No kind of numbers has texts for values.
            (Self::Numbers { .. }, Value::Text(_)) => self.gap(),
        }
    }

    fn finish(self) -> Values {
        match self {
            Self::Numbers { numbers, rounded } => Values { data: Data::Numbers(numbers), rounded },
            Self::Texts { texts, .. } => Values { data: Data::Texts(texts), rounded: false },
        }
    }
}
