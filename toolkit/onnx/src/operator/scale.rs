//! The size of a scaled image.

use super::super::value::MAX_WIDTH;

/// ⌊size · scale⌋, if f32 and f64 agree on it. One pixel has no two corners.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sizes up to 2²⁰"
)]
pub fn scaled(size: usize, scale: f32) -> Option<usize> {
    if !(1.0..=MAX_WIDTH as f32).contains(&scale) {
        return None;
    }
    let (single, double) =
        ((size as f32 * scale).floor(), (size as f64 * f64::from(scale)).floor());
    let inside = (2.0..=MAX_WIDTH as f64).contains(&double);
    (inside && f64::from(single) == double).then_some(double as usize)
}
