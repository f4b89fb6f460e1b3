//! What a column's values mean.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::data_type::Int96;
use ::parquet::schema::types::ColumnDescriptor;

use super::super::typed::{Kind, NANOSECONDS_OF_A_DAY, NEITHER, TOO_LONG, Value};

/// The Julian day of 1970-01-01.
const EPOCH: i128 = 2_440_588;

/// What a column is
/// ([logical types](https://github.com/apache/parquet-format/blob/master/LogicalTypes.md)), or why it
/// is none of a table.
pub(super) fn of(column: &ColumnDescriptor) -> Result<Kind, String> {
    let logical = column.logical_type_ref();
    let (stored, converted) = (column.physical_type(), column.converted_type());
    let is_whole = matches!(stored, Physical::INT32 | Physical::INT64);
    let is_bytes = matches!(stored, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY);
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    };
    let kind = match (logical, converted) {
        (Some(LogicalType::Integer(kind)), _) if !kind.is_signed => Kind::Unsigned,
        (Some(LogicalType::Decimal(kind)), _) => Kind::Decimal(kind.scale),
        (Some(LogicalType::Date), _) => Kind::Date(NANOSECONDS_OF_A_DAY),
        (Some(LogicalType::Time(kind)), _) => Kind::Time(unit(&kind.unit)),
        (Some(LogicalType::Timestamp(kind)), _) => Kind::Moment(unit(&kind.unit)),
        (Some(LogicalType::Float16), _) => Kind::HalfFloat,
        (Some(LogicalType::Uuid), _) => Kind::Uuid,
        (
            Some(
                LogicalType::Bson
                | LogicalType::Variant(_)
                | LogicalType::Geometry(_)
                | LogicalType::Geography(_)
                | LogicalType::File,
            ),
            _,
        )
        | (None, ConvertedType::BSON | ConvertedType::INTERVAL) => {
            return Err(NEITHER.to_owned());
        }
        (
            None,
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64,
        ) => Kind::Unsigned,
        (None, ConvertedType::DECIMAL) => Kind::Decimal(column.type_scale()),
        (None, ConvertedType::DATE) => Kind::Date(NANOSECONDS_OF_A_DAY),
        (None, ConvertedType::TIME_MILLIS) => Kind::Time(1_000_000),
        (None, ConvertedType::TIME_MICROS) => Kind::Time(1_000),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Kind::Moment(1_000_000),
        (None, ConvertedType::TIMESTAMP_MICROS) => Kind::Moment(1_000),
        _ if is_bytes => Kind::Text,
        _ if stored == Physical::INT96 => Kind::Moment(1),
        _ => Kind::Number,
    };
    let fits = match kind {
        Kind::Number => !is_bytes && stored != Physical::INT96,
        Kind::Unsigned | Kind::Date(_) | Kind::Time(_) => is_whole,
        Kind::Moment(_) => is_whole || stored == Physical::INT96,
        Kind::Decimal(_) => is_whole || is_bytes,
        Kind::HalfFloat | Kind::Uuid => stored == Physical::FIXED_LEN_BYTE_ARRAY,
        Kind::Text => is_bytes,
    };
    match fits {
        true => Ok(kind),
        false => Err(format!("it says that it is {kind:?} stored as {stored}; write it again")),
    }
}

/// The value that is stored as bytes.
pub(super) fn bytes(kind: Kind, bytes: &[u8]) -> Result<Value<'_>, String> {
    match (kind, bytes) {
        (Kind::Decimal(_), _) => match big_endian(bytes) {
            Some(number) => kind.whole(number),
            None => Err(TOO_LONG.to_owned()),
        },
        (Kind::HalfFloat, &[low, high]) => {
            Ok(Value::Number(half::f16::from_le_bytes([low, high]).to_f64()))
        }
        _ => kind.bytes(bytes),
    }
}

/// The moment that is stored as nanoseconds of a day and the Julian day, as older programs do.
pub(super) fn julian(kind: Kind, stored: &Int96) -> Result<Value<'static>, String> {
    let part = |at: usize| i128::from(stored.data().get(at).copied().unwrap_or_default());
    let nanoseconds = part(0) + (part(1) << 32);
    kind.whole((part(2) - EPOCH) * NANOSECONDS_OF_A_DAY + nanoseconds)
}

/// A whole number in two's complement, the highest byte first, if it has up to 128 bits.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    let (fill, sign) = if negative { (0xff, -1) } else { (0, 0) };
    let more = bytes.len().saturating_sub(16);
    let (high, low) = bytes.split_at(more);
    let number = low.iter().fold(sign, |number: i128, &byte| (number << 8) | i128::from(byte));
    let fits = high.iter().all(|&byte| byte == fill) && (more == 0 || (number < 0) == negative);
    fits.then_some(number)
}
