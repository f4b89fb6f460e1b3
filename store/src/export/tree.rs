//! A value of any shape, between what serialises it and what writes it.
//!
//! serde_json writes `null` for a number that JSON does not have, and asks nobody. So a record goes
//! through MessagePack, which has all numbers, into a tree, and the tree says how each number is
//! written.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Anything that a record can hold.
#[derive(Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Count(u64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    /// In the order in which the fields came.
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    /// What serde makes of `value`.
    pub(crate) fn of<T: Serialize>(value: &T) -> Result<Tree, String> {
        let bytes = rmp_serde::to_vec_named(value).map_err(|error| error.to_string())?;
        rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

/// Numbers that JSON does not have become text: `"NaN"`, `"Infinity"`, `"-Infinity"`.
impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Int(value) => serializer.serialize_i64(*value),
            Tree::Count(value) => serializer.serialize_u64(*value),
            Tree::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Tree::Float(value) => serializer.serialize_str(non_finite(*value)),
            Tree::Text(value) => serializer.serialize_str(value),
            Tree::List(items) => serializer.collect_seq(items),
            Tree::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// The name of a number that is not finite, as Protocol Buffers' JSON and JavaScript spell it.
pub(crate) fn non_finite(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        _ => "-Infinity",
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a record")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Int(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Count(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Float(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Tree::Map(map))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}
