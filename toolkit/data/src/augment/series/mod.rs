//! Steps for series: rows `[channels, length]`. Um et al. 2017 (arXiv:1706.00527) describe most of
//! them, and give the defaults where there are some.

mod noise;
mod pieces;
mod spline;
mod warp;

pub use noise::{Jitter, MagnitudeScale};
pub use pieces::{Permute, TimeShift, WindowSlice};
pub use warp::{MagnitudeWarp, TimeWarp};

#[cfg(test)]
pub(super) use self::{
    pieces::{permute, shift, slice},
    spline::curve,
    warp::warp_time,
};

/// The length of `[channels, length]`, not 0.
fn length(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1).max(1)
}

/// The value at `at`, linear between neighbours and constant beyond the ends.
fn between(values: &[f32], at: f64) -> f32 {
    let last = values.len().saturating_sub(1);
    let at = at.clamp(0.0, last as f64);
    let left = at.floor() as usize;
    let share = (at - left as f64) as f32;
    let right = values[(left + 1).min(last)];
    values[left] + share * (right - values[left])
}
