//! What a column's values mean.

use arrow_schema::{DataType, Field, TimeUnit};

use super::super::typed::{Kind, NANOSECONDS_OF_A_DAY, NEITHER, NESTED};

/// The nanoseconds of a millisecond, in which dates of 64 bits are.
const MILLISECOND: i128 = 1_000_000;

/// What a column is, or why it is none of a table.
pub(super) fn of(field: &Field) -> Result<Kind, String> {
    match field.data_type() {
        DataType::FixedSizeBinary(16) if field.extension_type_name() == Some("arrow.uuid") => {
            Ok(Kind::Uuid)
        }
        DataType::Dictionary(_, values) => of_type(values),
        plain => of_type(plain),
    }
}

fn of_type(stored: &DataType) -> Result<Kind, String> {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => MILLISECOND,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let reason = match stored {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64 => return Ok(Kind::Number),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            return Ok(Kind::Unsigned);
        }
        DataType::Float16 => return Ok(Kind::HalfFloat),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => return Ok(Kind::Decimal(i32::from(*scale))),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => return Ok(Kind::Text),
        DataType::Date32 => return Ok(Kind::Date(NANOSECONDS_OF_A_DAY)),
        DataType::Date64 => return Ok(Kind::Date(MILLISECOND)),
        DataType::Time32(parts) | DataType::Time64(parts) => return Ok(Kind::Time(unit(parts))),
        DataType::Timestamp(parts, _) => return Ok(Kind::Moment(unit(parts))),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            "it is of bytes; write it as text, or leave it out, where the file is written"
        }
        DataType::Duration(_) | DataType::Interval(_) => NEITHER,
        DataType::RunEndEncoded(..) => {
            "it is run-end encoded; write its values one by one, or as a dictionary"
        }
        DataType::Dictionary(..)
        | DataType::List(_)
        | DataType::ListView(_)
        | DataType::FixedSizeList(..)
        | DataType::LargeList(_)
        | DataType::LargeListView(_)
        | DataType::Struct(_)
        | DataType::Union(..)
        | DataType::Map(..) => NESTED,
    };
    Err(reason.to_owned())
}
