//! What a column's values mean.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::super::number;

/// What the values of a column mean, beside how they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::table) enum Kind {
    Number,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers over this power of ten.
    Decimal(i32),
    /// Two bytes each.
    HalfFloat,
    Text,
    Uuid,
    /// Since 1970-01-01, in parts of so many nanoseconds; the time of the day is none of it.
    Date(i128),
    /// Since midnight, in parts of so many nanoseconds.
    Time(i128),
    /// Since 1970-01-01 00:00, in parts of so many nanoseconds.
    Moment(i128),
}

/// What a column is to be in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::table) enum As {
    Numbers,
    Texts,
}

/// A value, before it is said what the column holds.
pub(in crate::table) enum Value<'a> {
    Number(f64),
    Whole(i128),
    Text(Cow<'a, str>),
}

pub(in crate::table) const NANOSECONDS_OF_A_DAY: i128 = 86_400_000_000_000;

/// Why a column that has columns within it is none of a table.
pub(in crate::table) const NESTED: &str = "it is nested (a list, a struct or a map); flatten it into columns of numbers and texts, or \
     leave it out, where the file is written";
/// Why a column of other things is none of a table.
pub(in crate::table) const NEITHER: &str = "it is neither of numbers nor of texts; write it as one, or leave it out, where the file is \
     written";

/// Why a decimal is none of a table.
pub(in crate::table) const TOO_LONG: &str =
    "it is a decimal of more than 38 digits; write it as a float";

impl Kind {
    /// What a column of it is in a table.
    pub(in crate::table) fn natural(self) -> As {
        match self {
            Self::Number | Self::Unsigned | Self::Decimal(_) | Self::HalfFloat => As::Numbers,
            Self::Text | Self::Uuid | Self::Date(_) | Self::Time(_) | Self::Moment(_) => As::Texts,
        }
    }

    /// The value that is stored as a whole number.
    pub(in crate::table) fn whole(self, number: i128) -> Result<Value<'static>, String> {
        let text = |text: Option<String>| {
            let text = text.map(|text| Value::Text(text.into()));
            text.ok_or_else(|| format!("{number} is beyond the times that exist"))
        };
        match self {
            Self::Decimal(scale) => Ok(decimal(number, scale)),
            Self::Date(unit) => text(moment(number * unit).map(|(day, _)| day.to_string())),
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

    /// The value that is stored as bytes and is neither a decimal nor half a float.
    pub(in crate::table) fn bytes(self, bytes: &[u8]) -> Result<Value<'_>, String> {
        match self {
            Self::Uuid if bytes.len() == 16 => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                Ok(Value::Text(parts.join("-").into()))
            }
            Self::Text => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::Text(text.into())),
                Err(_) => Err("it is of bytes that are no UTF-8 text; write it as text, or leave \
                               it out, where the file is written"
                    .to_owned()),
            },
            _ => Err(format!("it has {} bytes, which is no {self:?}", bytes.len())),
        }
    }
}

/// The date and the time, so many nanoseconds after 1970-01-01 00:00 in UTC.
fn moment(nanoseconds: i128) -> Option<(Date, Time)> {
    let moment = Timestamp::from_nanosecond(nanoseconds).ok()?;
    let moment = TimeZone::UTC.to_datetime(moment);
    Some((moment.date(), moment.time()))
}

/// The number is rounded once, as if it had been written in digits.
fn decimal(number: i128, scale: i32) -> Value<'static> {
    if scale == 0 {
        return Value::Whole(number);
    }
    let text = format!("{number}e{}", -i64::from(scale));
    Value::Number(number::number(&text, b'.').unwrap_or(f64::NAN))
}
