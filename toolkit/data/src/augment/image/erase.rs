//! A rectangle of an image replaced.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::size;
use crate::DataError;
use crate::augment::{Change, ascending, within};

/// A rectangle replaced by one value (Zhong et al. 2020, arXiv:1708.04896): torchvision's
/// `RandomErasing`. The value is on the scale of the numbers, and 0 the mean after
/// [`Normalize::standard`](crate::Normalize::standard).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Erase {
    /// The rectangle's share of the area is uniform between these; 0.02 and 0.33.
    pub scale: [f64; 2],
    /// The logarithm of height / width is uniform between those of these; 0.3 and 3.3.
    pub ratio: [f64; 2],
    /// What replaces it; 0.
    pub value: f32,
}

impl Default for Erase {
    fn default() -> Self {
        Self { scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0.0 }
    }
}

impl Change for Erase {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        ascending("the share of the area to erase", self.scale, 0.0, 1.0)?;
        ascending("height / width to erase", self.ratio, 0.01, 100.0)?;
        within("the value in place of what is erased", self.value.into(), f64::MIN, f64::MAX)
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let [height, width] = size(shape);
        let Some([top, left, tall, wide]) = self.rectangle([height, width], draws) else {
            return;
        };
        for (at, line) in row.chunks_exact_mut(width).enumerate() {
            if (top..top + tall).contains(&(at % height)) {
                line[left..left + wide].fill(self.value);
            }
        }
    }
}

impl Erase {
    /// Top, left, height and width; `None` if ten draws did not fit, as in torchvision.
    fn rectangle(&self, [height, width]: [usize; 2], draws: &mut Draws) -> Option<[usize; 4]> {
        let area = (height * width) as f64;
        for _ in 0..10 {
            let erased = area * draws.uniform(self.scale[0], self.scale[1]);
            let ratio = draws.uniform(self.ratio[0].ln(), self.ratio[1].ln()).exp();
            let tall = (erased * ratio).sqrt().round() as usize;
            let wide = (erased / ratio).sqrt().round() as usize;
            if tall < height && wide < width {
                let top = draws.below((height - tall + 1) as u64) as usize;
                let left = draws.below((width - wide + 1) as u64) as usize;
                return Some([top, left, tall, wide]);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainbook_core::random::{Seed, Stream};

    #[test]
    fn rectangles_have_the_area_and_the_ratio_that_were_asked_for() {
        let erase = Erase::default();
        let mut draws = Stream::new(Seed(1), "augment").at(0, 0);
        let (mut area, mut taller, n) = (0.0, 0, 4000);
        for _ in 0..n {
            let [top, left, tall, wide] = erase.rectangle([200, 200], &mut draws).unwrap();
            assert!(top + tall <= 200 && left + wide <= 200);
            let share = (tall * wide) as f64 / 40_000.0;
            assert!((0.019..0.335).contains(&share), "{share}");
            let ratio = tall as f64 / wide as f64;
            assert!((0.28..3.5).contains(&ratio), "{ratio}");
            area += share;
            taller += usize::from(tall > wide);
        }
        assert!((area / f64::from(n) - 0.175).abs() < 0.005, "{area}");
        // ln 3.3 / (ln 3.3 − ln 0.3) = 0.498
        assert!((taller as f64 / f64::from(n) - 0.498).abs() < 0.03, "{taller}");
    }
}
