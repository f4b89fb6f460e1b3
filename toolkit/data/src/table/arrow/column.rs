//! The values of a column.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayAccessor};
use arrow_schema::{DataType, TimeUnit};

use super::super::typed::{Growing, Kind, TOO_LONG, Value, Wrong};

/// Reads the values of a column in a batch of rows.
pub(super) fn read(array: &dyn Array, kind: Kind, to: &mut Growing) -> Result<(), Wrong> {
    to.reserve(array.len())?;
    match array.data_type() {
        DataType::Null => {
            (0..array.len()).for_each(|_| to.gap());
            Ok(())
        }
        DataType::Boolean => each(array.as_boolean(), to, |value| Ok(Value::Whole(value.into()))),
        DataType::Int8 => whole::<Int8Type>(array, kind, to),
        DataType::Int16 => whole::<Int16Type>(array, kind, to),
        DataType::Int32 => whole::<Int32Type>(array, kind, to),
        DataType::Int64 => whole::<Int64Type>(array, kind, to),
        DataType::UInt8 => whole::<UInt8Type>(array, kind, to),
        DataType::UInt16 => whole::<UInt16Type>(array, kind, to),
        DataType::UInt32 => whole::<UInt32Type>(array, kind, to),
        DataType::UInt64 => whole::<UInt64Type>(array, kind, to),
        DataType::Decimal32(..) => whole::<Decimal32Type>(array, kind, to),
        DataType::Decimal64(..) => whole::<Decimal64Type>(array, kind, to),
        DataType::Decimal128(..) => whole::<Decimal128Type>(array, kind, to),
        DataType::Decimal256(..) => {
            each(array.as_primitive::<Decimal256Type>(), to, |value| match value.to_i128() {
                Some(value) => kind.whole(value),
                None => Err(TOO_LONG.to_owned()),
            })
        }
        DataType::Date32 => whole::<Date32Type>(array, kind, to),
        DataType::Date64 => whole::<Date64Type>(array, kind, to),
        DataType::Time32(TimeUnit::Second) => whole::<Time32SecondType>(array, kind, to),
        DataType::Time32(_) => whole::<Time32MillisecondType>(array, kind, to),
        DataType::Time64(TimeUnit::Microsecond) => whole::<Time64MicrosecondType>(array, kind, to),
        DataType::Time64(_) => whole::<Time64NanosecondType>(array, kind, to),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => whole::<TimestampSecondType>(array, kind, to),
            TimeUnit::Millisecond => whole::<TimestampMillisecondType>(array, kind, to),
            TimeUnit::Microsecond => whole::<TimestampMicrosecondType>(array, kind, to),
            TimeUnit::Nanosecond => whole::<TimestampNanosecondType>(array, kind, to),
        },
        DataType::Float16 => number::<Float16Type>(array, to),
        DataType::Float32 => number::<Float32Type>(array, to),
        DataType::Float64 => number::<Float64Type>(array, to),
        DataType::Utf8 => each(array.as_string::<i32>(), to, text),
        DataType::LargeUtf8 => each(array.as_string::<i64>(), to, text),
        DataType::Utf8View => each(array.as_string_view(), to, text),
        DataType::FixedSizeBinary(_) => {
            each(array.as_fixed_size_binary(), to, |bytes| kind.bytes(bytes))
        }
        DataType::Dictionary(..) => dictionary(array, kind, to),
        // `kind` refused all others.
        other => Err(Wrong::Refused(format!("it is {other}, of which nothing is read"))),
    }
}

fn whole<T: ArrowPrimitiveType<Native: Into<i128>>>(
    array: &dyn Array,
    kind: Kind,
    to: &mut Growing,
) -> Result<(), Wrong> {
    each(array.as_primitive::<T>(), to, |value| kind.whole(value.into()))
}

fn number<T: ArrowPrimitiveType<Native: Into<f64>>>(
    array: &dyn Array,
    to: &mut Growing,
) -> Result<(), Wrong> {
    each(array.as_primitive::<T>(), to, |value| Ok(Value::Number(value.into())))
}

fn text(text: &str) -> Result<Value<'_>, String> {
    Ok(Value::Text(text.into()))
}

fn each<'a, A: ArrayAccessor>(
    array: A,
    to: &mut Growing,
    value: impl Fn(A::Item) -> Result<Value<'a>, String>,
) -> Result<(), Wrong> {
    for row in 0..array.len() {
        match array.is_null(row) {
            true => to.gap(),
            false => {
                let row_of_file = to.len();
                to.push(value(array.value(row)).map_err(|why| Wrong::Value(row_of_file, why))?);
            }
        }
    }
    Ok(())
}

/// Reads a dictionary's values once, and then by their numbers.
fn dictionary(array: &dyn Array, kind: Kind, to: &mut Growing) -> Result<(), Wrong> {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        (0..array.len()).for_each(|_| to.gap());
        return Ok(());
    }
    let values = to.alike(|to| read(values, kind, to)).map_err(|wrong| match wrong {
        // Rows of the dictionary are none of the file.
        Wrong::Value(_, why) => Wrong::Refused(why),
        other => other,
    })?;
    let keys = dictionary.normalized_keys();
    to.extend_from(
        values,
        keys.into_iter().enumerate().map(|(row, key)| match array.is_null(row) {
            true => None,
            false => Some(key),
        }),
    );
    Ok(())
}
