//! Numbers as JSON and JavaScript can hold them.

use serde::{Serialize, Serializer};
use trainbook_store::Value;

/// A number; NaN and the infinities as text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Number(value) = *self;
        if value.is_finite() {
            to.serialize_f64(value)
        } else if value.is_nan() {
            to.serialize_str("NaN")
        } else {
            to.serialize_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

/// A parameter as a person would write it: `1e-5`, `adamw`, `true`.
pub(super) fn text(value: &Value) -> String {
    value.to_string()
}
