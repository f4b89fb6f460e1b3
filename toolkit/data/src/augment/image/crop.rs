//! Images moved by a few pixels.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::{reflect, size};
use crate::DataError;
use crate::augment::Change;

/// Each border gets `padding` more pixels, and a piece of the old size is cut from a uniform place:
/// torchvision's `RandomCrop(size, padding)`. On any scale; zeros are black only where 0 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// How many pixels each border gets; at least 1.
    pub padding: usize,
    /// What they are; zeros if it is not written.
    #[serde(default)]
    pub fill: Padding,
}

/// What stands beyond a border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// 0.
    #[default]
    Zeros,
    /// The image reflected, without the border's pixels twice.
    Reflect,
}

impl Change for Crop {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        let [height, width] = size(shape);
        let side = height.min(width);
        let most = if self.fill == Padding::Reflect { side - 1 } else { side };
        if self.padding == 0 || self.padding > most {
            return Err(DataError::Setting {
                setting: "the crop's padding",
                value: self.padding.to_string(),
                expected: format!("from 1 to {most} pixels for images of {height} × {width}"),
            });
        }
        Ok(())
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let places = 2 * self.padding as u64 + 1;
        let (top, left) = (draws.below(places) as usize, draws.below(places) as usize);
        crop(row, size(shape), *self, top, left);
    }
}

/// The piece that begins at `top` and `left` of the padded image.
pub(in crate::augment) fn crop(
    row: &mut [f32],
    [height, width]: [usize; 2],
    Crop { padding, fill }: Crop,
    top: usize,
    left: usize,
) {
    let original = row.to_vec();
    let from = |at: usize, begin: usize, len: usize| {
        let at = (at + begin) as isize - padding as isize;
        match fill {
            Padding::Reflect => Some(reflect(at, len)),
            Padding::Zeros => usize::try_from(at).ok().filter(|&at| at < len),
        }
    };
    let planes = row.chunks_exact_mut(height * width).zip(original.chunks_exact(height * width));
    for (plane, original) in planes {
        for (y, line) in plane.chunks_exact_mut(width).enumerate() {
            let above = from(y, top, height);
            for (x, to) in line.iter_mut().enumerate() {
                let at = above.zip(from(x, left, width));
                *to = at.map_or(0.0, |(y, x)| original[y * width + x]);
            }
        }
    }
}
