//! Colours of images.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::size;
use crate::DataError;
use crate::augment::{Change, within};

/// Brightness, contrast, saturation and hue, in an order that is drawn: torchvision's `ColorJitter`.
/// A factor is uniform from max(0, 1 − v) to 1 + v; the hue turns by −`hue` to `hue` of a whole turn.
///
/// Other than there, nothing is cut to [0, 1], because the numbers may be on any scale. Contrast,
/// saturation and hue come to the same on every scale that the channels share; brightness takes 0 as
/// black.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColourJitter {
    /// At least 0, and 0 for none.
    pub brightness: f64,
    /// At least 0, and 0 for none.
    pub contrast: f64,
    /// At least 0, and 0 for none. For 3 channels: red, green, blue.
    pub saturation: f64,
    /// From 0 for none to 0.5. For 3 channels: red, green, blue.
    pub hue: f64,
}

impl Change for ColourJitter {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        within("brightness of a colour jitter", self.brightness, 0.0, f64::INFINITY)?;
        within("contrast of a colour jitter", self.contrast, 0.0, f64::INFINITY)?;
        within("saturation of a colour jitter", self.saturation, 0.0, f64::INFINITY)?;
        within("hue of a colour jitter", self.hue, 0.0, 0.5)?;
        let channels = shape.first().copied().unwrap_or(0);
        if channels != 3 && (self.saturation > 0.0 || self.hue > 0.0) {
            let reason = format!(
                "saturation and hue need 3 channels, red, green and blue, and images have {channels}"
            );
            return Err(DataError::Refused { action: "augment", reason });
        }
        Ok(())
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let area = size(shape).iter().product();
        let mut order = [0, 1, 2, 3];
        draws.shuffle(&mut order);
        let mut factor = |v: f64| draws.uniform((1.0 - v).max(0.0), 1.0 + v) as f32;
        let factors = [self.brightness, self.contrast, self.saturation].map(&mut factor);
        let turn = draws.uniform(-self.hue, self.hue) as f32;
        for which in order {
            match which {
                0 if self.brightness > 0.0 => brighten(row, factors[0]),
                1 if self.contrast > 0.0 => contrast(row, area, factors[1]),
                2 if self.saturation > 0.0 => saturate(row, area, factors[2]),
                3 if self.hue > 0.0 => turn_hue(row, area, turn),
                _ => {}
            }
        }
    }
}

/// How much red, green and blue count for grey (ITU-R BT.601, as torchvision rounds them).
const GREY: [f32; 3] = [0.2989, 0.587, 0.114];

/// The pixels of an image of three channels, each with its three numbers.
fn each_pixel(row: &mut [f32], area: usize, change: impl Fn([f32; 3]) -> [f32; 3]) {
    if row.len() != 3 * area {
        return;
    }
    let (red, rest) = row.split_at_mut(area);
    let (green, blue) = rest.split_at_mut(area);
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b]);
    }
}

/// Every number times a factor.
pub(in crate::augment) fn brighten(row: &mut [f32], factor: f32) {
    row.iter_mut().for_each(|x| *x *= factor);
}

/// The distance from the mean of the grey image times a factor. What has not 3 channels counts each
/// of them alike.
pub(in crate::augment) fn contrast(row: &mut [f32], area: usize, factor: f32) {
    let channels = row.len() / area.max(1);
    let mut mean = 0.0;
    for (channel, plane) in row.chunks_exact(area.max(1)).enumerate() {
        let share = if channels == 3 { GREY[channel] } else { 1.0 / channels as f32 };
        mean += f64::from(share) * plane.iter().copied().map(f64::from).sum::<f64>();
    }
    let mean = (mean / area.max(1) as f64) as f32;
    row.iter_mut().for_each(|x| *x = factor * *x + (1.0 - factor) * mean);
}

/// The distance from a pixel's grey times a factor.
pub(in crate::augment) fn saturate(row: &mut [f32], area: usize, factor: f32) {
    each_pixel(row, area, |pixel| {
        let grey: f32 = pixel.iter().zip(GREY).map(|(x, share)| share * x).sum();
        pixel.map(|x| factor * x + (1.0 - factor) * grey)
    });
}

/// The hue turned by a share of a whole turn; the largest and the smallest of a pixel's numbers stay
/// what they are, and so the value, and on the scale from 0 to 1 the saturation, of HSV.
pub(in crate::augment) fn turn_hue(row: &mut [f32], area: usize, turn: f32) {
    each_pixel(row, area, |[r, g, b]| {
        let most = r.max(g).max(b);
        let span = most - r.min(g).min(b);
        if span <= 0.0 {
            return [r, g, b];
        }
        // In sixths of a turn, from red over green to blue.
        let hue = if most == r {
            (g - b) / span
        } else if most == g {
            2.0 + (b - r) / span
        } else {
            4.0 + (r - g) / span
        };
        [5.0_f32, 3.0, 1.0].map(|offset| {
            let k = (offset + hue + 6.0 * turn).rem_euclid(6.0);
            most - span * k.min(4.0 - k).clamp(0.0, 1.0)
        })
    });
}
