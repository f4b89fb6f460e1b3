//! Images mirrored.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::size;
use crate::DataError;
use crate::augment::Change;

/// Left and right swapped. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipHorizontal {}

impl Change for FlipHorizontal {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        Ok(())
    }

    fn change(&self, row: &mut [f32], shape: &[usize], _: &mut Draws) {
        let [_, width] = size(shape);
        row.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    }
}

/// Top and bottom swapped. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipVertical {}

impl Change for FlipVertical {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        Ok(())
    }

    fn change(&self, row: &mut [f32], shape: &[usize], _: &mut Draws) {
        let [height, width] = size(shape);
        for plane in row.chunks_exact_mut(height * width) {
            let (above, below) = plane.split_at_mut(height / 2 * width);
            let below = below.chunks_exact_mut(width).rev();
            above.chunks_exact_mut(width).zip(below).for_each(|(a, b)| a.swap_with_slice(b));
        }
    }
}
