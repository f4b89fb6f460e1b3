//! Images rotated, moved, scaled and sheared.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::size;
use crate::DataError;
use crate::augment::{Change, ascending, within};

/// Rotated, moved, scaled and sheared about the centre: torchvision's `RandomAffine` on tensors,
/// interpolated between four pixels. What comes from beyond the border is 0; otherwise on any scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Affine {
    /// The angle is uniform from −`degrees` to `degrees`, at most 180; clockwise if above 0.
    pub degrees: f64,
    /// Moved by at most these shares of width and height, by whole pixels.
    pub translate: [f64; 2],
    /// The factor is uniform between these.
    pub scale: [f64; 2],
    /// The shear angles along x and y are uniform from −s to s degrees, below 90.
    pub shear: [f64; 2],
}

/// None of it.
impl Default for Affine {
    fn default() -> Self {
        Self { degrees: 0.0, translate: [0.0; 2], scale: [1.0; 2], shear: [0.0; 2] }
    }
}

/// What is drawn for one image.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(in crate::augment) struct Placement {
    /// In degrees, clockwise.
    pub angle: f64,
    /// In pixels, to the right and down.
    pub translate: [f64; 2],
    pub scale: f64,
    /// In degrees, along x and y.
    pub shear: [f64; 2],
}

impl Change for Affine {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        within("degrees of a rotation", self.degrees, 0.0, 180.0)?;
        for share in self.translate {
            within("the share that an image is moved by", share, 0.0, 1.0)?;
        }
        ascending("the scale of an affine step", self.scale, 0.01, 100.0)?;
        self.shear.into_iter().try_for_each(|shear| within("degrees of a shear", shear, 0.0, 89.0))
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let [height, width] = size(shape);
        let mut around = |most: f64| draws.uniform(-most, most);
        let angle = around(self.degrees);
        let translate = [
            around(self.translate[0] * width as f64).round(),
            around(self.translate[1] * height as f64).round(),
        ];
        let shear = self.shear.map(around);
        let scale = draws.uniform(self.scale[0], self.scale[1]);
        warp(row, [height, width], &Placement { angle, translate, scale, shear }.inverse());
    }
}

impl Placement {
    /// `[a, b, c, d, e, f]`: the pixel at (x, y) from the centre comes from
    /// (a·x + b·y + c, d·x + e·y + f). With R the rotation, S the shears along y and then x, s the
    /// scale and t the move it is (R·S)⁻¹/s applied to (x, y) − t, as in torchvision.
    pub fn inverse(&self) -> [f64; 6] {
        let (angle, [x, y]) = (self.angle.to_radians(), self.shear.map(f64::to_radians));
        let (cos, sin) = ((angle - y).cos() / y.cos(), (angle - y).sin() / y.cos());
        let (a, b) = (cos, -cos * x.tan() - angle.sin());
        let (c, d) = (sin, -sin * x.tan() + angle.cos());
        let [a, b, c, d] = [d, -b, -c, a].map(|entry| entry / self.scale);
        let [right, down] = self.translate;
        [a, b, -a * right - b * down, c, d, -c * right - d * down]
    }
}

/// Moves every pixel, and interpolates linearly between the four where it comes from. Pixels beyond
/// the border are 0.
pub(in crate::augment) fn warp(row: &mut [f32], [height, width]: [usize; 2], inverse: &[f64; 6]) {
    let original = row.to_vec();
    let area = height * width;
    let [a, b, c, d, e, f] = *inverse;
    let (middle_y, middle_x) = ((height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0);
    for at in 0..area {
        let (y, x) = ((at / width) as f64 - middle_y, (at % width) as f64 - middle_x);
        let from_x = a * x + b * y + c + middle_x;
        let from_y = d * x + e * y + f + middle_y;
        let (left, top) = (from_x.floor(), from_y.floor());
        let (right, below) = (from_x - left, from_y - top);
        let corners = [
            (top, left, (1.0 - below) * (1.0 - right)),
            (top, left + 1.0, (1.0 - below) * right),
            (top + 1.0, left, below * (1.0 - right)),
            (top + 1.0, left + 1.0, below * right),
        ];
        let inside = |y: f64, x: f64| {
            (y >= 0.0 && x >= 0.0 && y < height as f64 && x < width as f64)
                .then_some(y as usize * width + x as usize)
        };
        let corners = corners.map(|(y, x, share)| (inside(y, x), share));
        let planes = row.chunks_exact_mut(area).zip(original.chunks_exact(area));
        for (plane, original) in planes {
            let of = |(from, share): (Option<usize>, f64)| {
                from.map_or(0.0, |from| share * f64::from(original[from]))
            };
            plane[at] = corners.into_iter().map(of).sum::<f64>() as f32;
        }
    }
}
