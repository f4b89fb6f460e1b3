//! A block of metric points, column by column.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::name::Name;

/// One point of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) name: Name,
    pub(crate) step: u64,
    pub(crate) value: f64,
}

/// Some points of some metrics, each metric's in the order in which they were logged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    columns: BTreeMap<Name, Column>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Column {
    steps: Words,
    values: Words,
}

impl Block {
    /// Sorts points into columns.
    pub(crate) fn new<'a>(points: impl IntoIterator<Item = &'a Point>) -> Block {
        let mut block = Block::default();
        for point in points {
            let column = match block.columns.get_mut(&point.name) {
                Some(column) => column,
                None => block.columns.entry(point.name.clone()).or_default(),
            };
            column.steps.push(point.step);
            column.values.push(point.value.to_bits());
        }
        block
    }

    /// Each metric with its points.
    pub(crate) fn columns(
        &self,
    ) -> impl Iterator<Item = (&Name, impl Iterator<Item = (u64, f64)>)> {
        self.columns.iter().map(|(name, column)| {
            (name, column.steps.iter().zip(column.values.iter().map(f64::from_bits)))
        })
    }

    /// Whether every metric has as many steps as values; another block was not written by this
    /// crate.
    pub(crate) fn is_whole(&self) -> bool {
        self.columns.values().all(|column| column.steps.0.len() == column.values.0.len())
    }
}

/// 64-bit words, little endian, as one byte string: the bits of a value survive whatever they are,
/// and a point costs 16 bytes instead of a tag for each number.
#[derive(Debug, Clone, Default, PartialEq)]
struct Words(Vec<[u8; 8]>);

impl Words {
    fn push(&mut self, word: u64) {
        self.0.push(word.to_le_bytes());
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_flattened())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
        struct AnyBytes;

        impl Visitor<'_> for AnyBytes {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes, eight for each number")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Words, E> {
                let (words, rest) = bytes.as_chunks::<8>();
                if rest.is_empty() {
                    Ok(Words(words.to_vec()))
                } else {
                    Err(E::invalid_length(bytes.len(), &self))
                }
            }
        }

        deserializer.deserialize_bytes(AnyBytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_bit_survives_in_order(points in prop::collection::vec((0..3_u8, any::<u64>(), any::<u64>()), 0..50)) {
            let points: Vec<Point> = points
                .into_iter()
                .map(|(name, step, bits)| Point { name: format!("m{name}").into(), step, value: f64::from_bits(bits) })
                .collect();
            let block = Block::new(&points);
            prop_assert!(block.is_whole());
            let back: Block = rmp_serde::from_slice(&rmp_serde::to_vec_named(&block).unwrap()).unwrap();
            let mut seen = 0;
            for (name, column) in back.columns() {
                let expected: Vec<(u64, u64)> =
                    points.iter().filter(|point| point.name == *name).map(|point| (point.step, point.value.to_bits())).collect();
                let column: Vec<(u64, u64)> = column.map(|(step, value)| (step, value.to_bits())).collect();
                seen += column.len();
                prop_assert_eq!(column, expected);
            }
            prop_assert_eq!(seen, points.len());
        }
    }
}
