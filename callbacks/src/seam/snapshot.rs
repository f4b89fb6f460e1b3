//! A copy of all weights, and how it is written down.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A copy of all weights at one point: tensors in the model's order, each in row-major order. In a
/// format for machines a weight takes four bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(pub Vec<Vec<f32>>);

/// The numbers of one tensor: little-endian bytes where the format is for machines.
struct Tensor(Vec<f32>);

/// The same, to be written.
struct Numbers<'a>(&'a [f32]);

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|tensor| Numbers(tensor)))
    }
}

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_seq(self.0);
        }
        let bytes: Vec<u8> = self.0.iter().flat_map(|value| value.to_le_bytes()).collect();
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tensors = Vec::<Tensor>::deserialize(deserializer)?;
        Ok(Self(tensors.into_iter().map(|Tensor(values)| values).collect()))
    }
}

impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What was written number by number is read too, as older checkpoints are.
        deserializer.deserialize_any(TensorVisitor)
    }
}

struct TensorVisitor;

impl<'de> Visitor<'de> for TensorVisitor {
    type Value = Tensor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the numbers of a tensor")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Tensor, E> {
        let (values, []) = bytes.as_chunks::<4>() else {
            return Err(E::invalid_length(bytes.len(), &"four bytes for each number"));
        };
        Ok(Tensor(values.iter().map(|value| f32::from_le_bytes(*value)).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Tensor, A::Error> {
        let mut tensor = Vec::new();
        while let Some(value) = values.next_element()? {
            tensor.push(value);
        }
        Ok(Tensor(tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_takes_four_bytes_and_keeps_every_bit() {
        let odd = [0.0, -0.0, 1.5, f32::NAN, f32::NEG_INFINITY, f32::MIN_POSITIVE / 3.0];
        let long: Vec<f32> = (0..1000).map(|i| i as f32 / 7.0).collect();
        let snapshot = Snapshot(vec![odd.to_vec(), Vec::new(), long]);
        let bits = |snapshot: &Snapshot| -> Vec<Vec<u32>> {
            snapshot.0.iter().map(|tensor| tensor.iter().map(|v| v.to_bits()).collect()).collect()
        };
        let bytes = rmp_serde::to_vec_named(&snapshot).unwrap();
        assert!(bytes.len() < 4 * 1006 + 16, "{}", bytes.len());
        let read: Snapshot = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(bits(&read), bits(&snapshot));
        // As it was written before.
        let plain = rmp_serde::to_vec_named(&snapshot.0).unwrap();
        assert_eq!(bits(&rmp_serde::from_slice(&plain).unwrap()), bits(&snapshot));
        assert!(rmp_serde::from_slice::<Snapshot>(&[0x91, 0xc4, 3, 0, 0, 0]).is_err());
        let error = serde_json::from_str::<Snapshot>("[true]").unwrap_err().to_string();
        assert!(error.contains("expected the numbers of a tensor"), "{error}");
        let json = serde_json::to_string(&Snapshot(vec![vec![1.0, 0.1]])).unwrap();
        assert_eq!(json, "[[1.0,0.1]]");
        assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap().0, [[1.0, 0.1]]);
    }
}
