//! Images blurred.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::{reflect, size};
use crate::DataError;
use crate::augment::{Change, ascending};

/// Blurred by a Gaussian kernel, with borders reflected: torchvision's `GaussianBlur`. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// The kernel's height and width in pixels, an odd number.
    pub kernel: usize,
    /// The standard deviation in pixels is uniform between these; 0.1 and 2 if they are not written.
    #[serde(default = "sigma")]
    pub sigma: [f64; 2],
}

fn sigma() -> [f64; 2] {
    [0.1, 2.0]
}

impl Change for Blur {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        let [height, width] = size(shape);
        let most = 2 * (height.min(width) - 1) + 1;
        if self.kernel.is_multiple_of(2) || self.kernel > most {
            return Err(DataError::Setting {
                setting: "the kernel of a blur",
                value: self.kernel.to_string(),
                expected: format!(
                    "an odd number of at most {most} pixels for images of {height} × {width}"
                ),
            });
        }
        ascending("the standard deviation of a blur", self.sigma, 0.01, 1e6)
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let sigma = draws.uniform(self.sigma[0], self.sigma[1]);
        blur(row, size(shape), self.kernel, sigma);
    }
}

/// Weighs the pixels at a distance of d by exp(−d²/2σ²), along x and then along y.
pub(in crate::augment) fn blur(
    row: &mut [f32],
    [height, width]: [usize; 2],
    kernel: usize,
    sigma: f64,
) {
    let half = (kernel / 2) as isize;
    let weight = |d: isize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let sum: f64 = (-half..=half).map(weight).sum();
    let weights: Vec<(isize, f64)> = (-half..=half).map(|d| (d, weight(d) / sum)).collect();
    let mut between = vec![0.0_f64; height * width];
    for plane in row.chunks_exact_mut(height * width) {
        for (at, to) in between.iter_mut().enumerate() {
            let (line, x) = (at / width * width, (at % width) as isize);
            let of =
                |&(d, share): &(isize, f64)| share * f64::from(plane[line + reflect(x + d, width)]);
            *to = weights.iter().map(of).sum();
        }
        for (at, to) in plane.iter_mut().enumerate() {
            let (y, x) = ((at / width) as isize, at % width);
            let of =
                |&(d, share): &(isize, f64)| share * between[reflect(y + d, height) * width + x];
            *to = weights.iter().map(of).sum::<f64>() as f32;
        }
    }
}
