//! A sealed block: some thousand points of one metric, compressed, with what can be known without
//! unpacking them.
//!
//! Steps and values are two columns, each compressed by pcodec: steps, whose differences are mostly
//! equal, take next to nothing, and a loss that was computed in `f32` takes little more than its
//! random bits.

use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress};
use serde::{Deserialize, Serialize};

/// How many points a block may hold.
pub(crate) const POINTS: usize = 1 << 16;

/// Some points of one metric, in the order of logging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// How many points, NaN among them.
    pub(crate) count: u32,
    /// How many of them are NaN.
    pub(crate) nan_count: u32,
    /// The least value but for NaN; NaN if there is no other.
    pub(crate) min: f64,
    /// The greatest value but for NaN.
    pub(crate) max: f64,
    #[serde(with = "serde_bytes")]
    steps: Vec<u8>,
    #[serde(with = "serde_bytes")]
    values: Vec<u8>,
}

impl Block {
    /// Packs at most [`POINTS`] points.
    pub(crate) fn seal(points: &[(u64, f64)]) -> Result<Block, String> {
        let steps: Vec<u64> = points.iter().map(|point| point.0).collect();
        let values: Vec<f64> = points.iter().map(|point| point.1).collect();
        let numbers = || values.iter().copied().filter(|value| !value.is_nan());
        Ok(Block {
            count: u32::try_from(points.len()).map_err(|error| error.to_string())?,
            nan_count: (points.len() - numbers().count()) as u32,
            min: numbers().fold(f64::NAN, f64::min),
            max: numbers().fold(f64::NAN, f64::max),
            steps: simple_compress(&steps, &ChunkConfig::default())
                .map_err(|error| error.to_string())?,
            values: simple_compress(&values, &ChunkConfig::default())
                .map_err(|error| error.to_string())?,
        })
    }

    /// Unpacks all points and appends them to `points`.
    pub(crate) fn unseal(&self, points: &mut Vec<(u64, f64)>) -> Result<(), String> {
        let steps = simple_decompress::<u64>(&self.steps).map_err(|error| error.to_string())?;
        let values = simple_decompress::<f64>(&self.values).map_err(|error| error.to_string())?;
        let count = self.count as usize;
        if (steps.len(), values.len()) != (count, count) {
            return Err(format!(
                "a block of {count} points has {} steps and {} values",
                steps.len(),
                values.len()
            ));
        }
        points.extend(steps.into_iter().zip(values));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(points: &[(u64, f64)]) -> Vec<(u64, u64)> {
        points.iter().map(|(step, value)| (*step, value.to_bits())).collect()
    }

    /// Values as they are logged, values that no training gives, and bits of any kind.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0.0..10.0_f32).prop_map(f64::from),
            any::<f64>(),
            any::<u64>().prop_map(f64::from_bits),
            prop::sample::select(vec![
                f64::NAN,
                -f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                0.0
            ]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn every_bit_survives(points in prop::collection::vec((any::<u64>(), value()), 0..700)) {
            let block = Block::seal(&points).unwrap();
            let mut back = vec![(7, 7.0)];
            block.unseal(&mut back).unwrap();
            prop_assert_eq!(bits(&back[1..]), bits(&points));
            let numbers: Vec<f64> = points.iter().map(|point| point.1).filter(|value| !value.is_nan()).collect();
            prop_assert_eq!(block.nan_count as usize, points.len() - numbers.len());
            prop_assert!(numbers.iter().all(|value| *value >= block.min && *value <= block.max));
            prop_assert!(numbers.is_empty() || (numbers.contains(&block.min) && numbers.contains(&block.max)));
        }

        #[test]
        fn other_bytes_are_an_error_or_other_points_but_no_panic(
            points in prop::collection::vec((0..100_u64, value()), 1..300),
            at in any::<prop::sample::Index>(),
            mask in 1..=255_u8,
        ) {
            let mut block = Block::seal(&points).unwrap();
            let at = at.index(block.values.len());
            block.values[at] ^= mask;
            let _ = block.unseal(&mut Vec::new());
            block.values.truncate(at);
            prop_assert!(block.unseal(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_real_loss_curve_takes_less_than_four_bytes_a_point() {
        let curve = include_str!("../../tests/fixtures/loss.csv");
        let points: Vec<(u64, f64)> = curve
            .lines()
            .skip(1)
            .map(|line| line.split_once(',').unwrap())
            .map(|(step, loss)| (step.parse().unwrap(), loss.parse().unwrap()))
            .collect();
        let block = Block::seal(&points).unwrap();
        let bytes = (block.steps.len() + block.values.len()) as f64 / points.len() as f64;
        println!("{bytes:.2} bytes a point over {} points", points.len());
        assert!(bytes < 4.0, "{bytes} bytes a point over {} points", points.len());
    }
}
