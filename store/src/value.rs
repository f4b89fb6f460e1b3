//! The value of a parameter.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The value of a parameter. A run's parameters keep their types, so that a query can compare them.
///
/// On disk and in JSON it is the bare value (`3`, `0.1`, `true`, `"adamw"`), and the type is that
/// of the value: `1.0` is a float and `1` an integer. JSON has no NaN and no infinity, and shows
/// both as `null`; the journal keeps them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number, NaN and the infinities among them.
    Float(f64),
    /// Text.
    Text(String),
}

impl Value {
    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Bool(_) | Value::Text(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            // `{:?}` writes 1e-5 where `{}` writes 0.00001, and 1.0 where `{}` writes 1.
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(value) => value.fmt(f),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct AnyValue;

        impl Visitor<'_> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean, a number or a text")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Int(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value::from(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

impl From<u64> for Value {
    /// A number above `i64::MAX` becomes the nearest float: parameters are read by people and
    /// compared, not addressed.
    fn from(value: u64) -> Value {
        i64::try_from(value).map_or(Value::Float(value as f64), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::from(value as u64)
    }
}

impl From<f32> for Value {
    /// The decimal that the `f32` prints as: `0.1_f32` is found by `params.lr = 0.1`.
    fn from(value: f32) -> Value {
        Value::Float(value.to_string().parse().unwrap_or(f64::from(value)))
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i32 => Int, u32 => Int, i64 => Int, f64 => Float, &str => Text, String => Text);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_messagepack() {
        for value in [
            Value::Bool(true),
            Value::Int(1),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
            Value::Float(1.0),
            Value::Float(-0.0),
            Value::Float(f64::INFINITY),
            Value::Text("1".into()),
        ] {
            let bytes = rmp_serde::to_vec_named(&value).unwrap();
            let back: Value = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }
        let nan = rmp_serde::to_vec_named(&Value::Float(f64::NAN)).unwrap();
        assert!(
            matches!(rmp_serde::from_slice(&nan).unwrap(), Value::Float(value) if value.is_nan())
        );
    }

    #[test]
    fn conversions_keep_what_a_person_wrote() {
        assert_eq!(Value::from(0.1_f32), Value::Float(0.1));
        assert!(matches!(Value::from(f32::NAN), Value::Float(value) if value.is_nan()));
        assert_eq!(Value::from(7_usize), Value::Int(7));
        assert!(matches!(Value::from(u64::MAX), Value::Float(_)));
        assert_eq!(Value::from(1e-5).to_string(), "1e-5");
        assert_eq!(serde_json::to_string(&Value::Float(1.0)).unwrap(), "1.0");
    }
}
