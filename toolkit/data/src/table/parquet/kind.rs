//! What a column's values mean.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::data_type::Int96;
use ::parquet::schema::types::ColumnDescriptor;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::super::number;

/// What the values of a column mean, beside how they are stored
/// ([logical types](https://github.com/apache/parquet-format/blob/master/LogicalTypes.md)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers over this power of ten.
    Decimal(i32),
    /// Two bytes each.
    HalfFloat,
    Text,
    Uuid,
    /// Days since 1970-01-01.
    Date,
    /// Since midnight, in parts of so many nanoseconds.
    Time(i128),
    /// Since 1970-01-01 00:00, in parts of so many nanoseconds.
    Moment(i128),
}

/// What a column is to be in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    Numbers,
    Texts,
}

/// A value, before it is said what the column holds.
pub(super) enum Value {
    Number(f64),
    Whole(i128),
    Text(String),
}

const NANOSECONDS_OF_A_DAY: i128 = 86_400_000_000_000;
/// The Julian day of 1970-01-01.
const EPOCH: i128 = 2_440_588;

impl Kind {
    /// What a column is, or why it is none of a table.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, String> {
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
            (Some(LogicalType::Integer(kind)), _) if !kind.is_signed => Self::Unsigned,
            (Some(LogicalType::Decimal(kind)), _) => Self::Decimal(kind.scale),
            (Some(LogicalType::Date), _) => Self::Date,
            (Some(LogicalType::Time(kind)), _) => Self::Time(unit(&kind.unit)),
            (Some(LogicalType::Timestamp(kind)), _) => Self::Moment(unit(&kind.unit)),
            (Some(LogicalType::Float16), _) => Self::HalfFloat,
            (Some(LogicalType::Uuid), _) => Self::Uuid,
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
                return Err("it is neither of numbers nor of texts; write it as one, or leave it \
                            out, where the file is written"
                    .to_owned());
            }
            (
                None,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Self::Unsigned,
            (None, ConvertedType::DECIMAL) => Self::Decimal(column.type_scale()),
            (None, ConvertedType::DATE) => Self::Date,
            (None, ConvertedType::TIME_MILLIS) => Self::Time(1_000_000),
            (None, ConvertedType::TIME_MICROS) => Self::Time(1_000),
            (None, ConvertedType::TIMESTAMP_MILLIS) => Self::Moment(1_000_000),
            (None, ConvertedType::TIMESTAMP_MICROS) => Self::Moment(1_000),
            _ if is_bytes => Self::Text,
            _ if stored == Physical::INT96 => Self::Moment(1),
            _ => Self::Number,
        };
        let fits = match kind {
            Self::Number => !is_bytes && stored != Physical::INT96,
            Self::Unsigned | Self::Date | Self::Time(_) => is_whole,
            Self::Moment(_) => is_whole || stored == Physical::INT96,
            Self::Decimal(_) => is_whole || is_bytes,
            Self::HalfFloat | Self::Uuid => stored == Physical::FIXED_LEN_BYTE_ARRAY,
            Self::Text => is_bytes,
        };
        match fits {
            true => Ok(kind),
            false => Err(format!("it says that it is {kind:?} stored as {stored}; write it again")),
        }
    }

    /// What a column of it is in a table.
    pub(super) fn natural(self) -> As {
        match self {
            Self::Number | Self::Unsigned | Self::Decimal(_) | Self::HalfFloat => As::Numbers,
            Self::Text | Self::Uuid | Self::Date | Self::Time(_) | Self::Moment(_) => As::Texts,
        }
    }

    /// The value that is stored as a whole number.
    pub(super) fn whole(self, number: i128) -> Result<Value, String> {
        let text = |text: Option<String>| {
            text.map(Value::Text).ok_or_else(|| format!("{number} is beyond the times that exist"))
        };
        match self {
            Self::Decimal(scale) => Ok(decimal(number, scale)),
            Self::Date => {
                text(moment(number * NANOSECONDS_OF_A_DAY).map(|(day, _)| day.to_string()))
            }
            Self::Time(unit) => {
                let within = (0..NANOSECONDS_OF_A_DAY).contains(&(number * unit));
                let time = moment(number * unit).filter(|_| within);
                text(time.map(|(_, time)| time.to_string()))
            }
            Self::Moment(unit) => {
                text(moment(number * unit).map(|(day, time)| day.to_datetime(time).to_string()))
            }
            _ => Ok(Value::Whole(number)),
        }
    }

    /// The value that is stored as bytes.
    pub(super) fn bytes(self, bytes: &[u8]) -> Result<Value, String> {
        match (self, bytes) {
            (Self::Decimal(scale), _) => match big_endian(bytes) {
                Some(number) => Ok(decimal(number, scale)),
                None => {
                    Err("it is a decimal of more than 38 digits; write it as a float".to_owned())
                }
            },
            (Self::HalfFloat, &[low, high]) => {
                Ok(Value::Number(half::f16::from_le_bytes([low, high]).to_f64()))
            }
            (Self::Uuid, _) if bytes.len() == 16 => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                Ok(Value::Text(parts.join("-")))
            }
            (Self::Text, _) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err("it is of bytes that are no UTF-8 text; write it as text, or leave \
                               it out, where the file is written"
                    .to_owned()),
            },
            _ => Err(format!("it has {} bytes, which is no {self:?}", bytes.len())),
        }
    }

    /// The moment that is stored as nanoseconds of a day and the Julian day, as older programs do.
    pub(super) fn julian(self, stored: &Int96) -> Result<Value, String> {
        let part = |at: usize| i128::from(stored.data().get(at).copied().unwrap_or_default());
        let nanoseconds = part(0) + (part(1) << 32);
        self.whole((part(2) - EPOCH) * NANOSECONDS_OF_A_DAY + nanoseconds)
    }
}

/// The date and the time, so many nanoseconds after 1970-01-01 00:00 in UTC.
fn moment(nanoseconds: i128) -> Option<(Date, Time)> {
    let moment = Timestamp::from_nanosecond(nanoseconds).ok()?;
    let moment = TimeZone::UTC.to_datetime(moment);
    Some((moment.date(), moment.time()))
}

/// The number is rounded once, as if it had been written in digits.
fn decimal(number: i128, scale: i32) -> Value {
    if scale == 0 {
        return Value::Whole(number);
    }
    let text = format!("{number}e{}", -i64::from(scale));
    Value::Number(number::number(&text, b'.').unwrap_or(f64::NAN))
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
