//! What a field is compared with.

use std::marker::PhantomData;
use std::time::Duration;

use jiff::Timestamp;

use super::ast::{Constant, Literal};
use super::kind::{Number, Points, Setting, Text, Time};

/// What a [`Field`](super::Field) of kind `K` is compared with. Numbers, texts and truths become
/// one by themselves where they fit.
#[derive(Debug, Clone)]
pub struct Operand<K> {
    constant: Constant,
    kind: PhantomData<K>,
}

impl<K> Operand<K> {
    fn new(constant: Constant) -> Operand<K> {
        Operand { constant, kind: PhantomData }
    }

    pub(super) fn into_literal(self) -> Literal {
        Literal { value: self.constant, span: 0..0 }
    }
}

/// The moment so long before the query runs, in whole seconds: `ago(Duration::from_hours(36))` is
/// `now - 36h`.
pub fn ago(duration: Duration) -> Operand<Time> {
    Operand::new(Constant::Ago(duration.as_secs()))
}

macro_rules! operands {
    ($($kind:ty: $($from:ty => |$value:ident| $constant:expr),+;)+) => {$($(
        impl From<$from> for Operand<$kind> {
            fn from($value: $from) -> Operand<$kind> {
                Operand::new($constant)
            }
        }
    )+)+};
}

macro_rules! numbers {
    ($($kind:ty),+) => {
        operands! {$(
            $kind:
                i32 => |value| Constant::Int(value.into()),
                i64 => |value| Constant::Int(value.into()),
                u32 => |value| Constant::Int(value.into()),
                u64 => |value| Constant::Int(value.into()),
                usize => |value| Constant::Int(value as i128),
                f64 => |value| Constant::Float(value),
                // As a parameter is recorded: the decimal that the `f32` prints as.
                f32 => |value| Constant::Float(value.to_string().parse().unwrap_or(value.into()));
        )+}
    };
}

numbers!(Number, Setting, Points);
operands! {
    Text:
        &str => |text| Constant::Text(text.to_owned()),
        &String => |text| Constant::Text(text.clone()),
        String => |text| Constant::Text(text);
    Setting:
        bool => |value| Constant::Bool(value),
        &str => |text| Constant::Text(text.to_owned()),
        &String => |text| Constant::Text(text.clone()),
        String => |text| Constant::Text(text);
    Time:
        &str => |text| Constant::Text(text.to_owned()),
        Timestamp => |time| Constant::Text(time.to_string());
}
