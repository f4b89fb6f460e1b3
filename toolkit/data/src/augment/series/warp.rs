//! Series under smooth random curves.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::{between, length};
use crate::DataError;
use crate::augment::series::spline::curve;
use crate::augment::{Change, positive};

/// Each channel times a smooth curve of its own: a cubic spline through values from N(1, σ²), at both
/// ends and at `knots` places between. Makes sense where 0 is the middle or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MagnitudeWarp {
    /// σ, above 0. The paper takes 0.2.
    pub sigma: f64,
    /// How many places between the ends, at least 2; 4 if it is not written.
    #[serde(default = "four")]
    pub knots: usize,
}

fn four() -> usize {
    4
}

fn check(sigma: f64, knots: usize, shape: &[usize]) -> Result<(), DataError> {
    positive("σ of the curve", sigma)?;
    let len = length(shape);
    if knots >= 2 && knots + 2 <= len {
        return Ok(());
    }
    Err(DataError::Setting {
        setting: "the number of the curve's knots",
        value: knots.to_string(),
        expected: format!("at least 2, and with both ends at most the length of the series, {len}"),
    })
}

fn draw(sigma: f64, knots: usize, draws: &mut Draws) -> Vec<f64> {
    (0..knots + 2).map(|_| 1.0 + sigma * draws.normal()).collect()
}

impl Change for MagnitudeWarp {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        check(self.sigma, self.knots, shape)
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let len = length(shape);
        for channel in row.chunks_exact_mut(len) {
            let curve = curve(&draw(self.sigma, self.knots, draws), len);
            channel.iter_mut().zip(curve).for_each(|(x, factor)| *x *= factor as f32);
        }
    }
}

/// Faster where a smooth curve, as in [`MagnitudeWarp`], is high, and slower where it is low; both
/// ends stay, and all channels go alike. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeWarp {
    /// σ, above 0. The paper takes 0.2.
    pub sigma: f64,
    /// How many places between the ends, at least 2; 4 if it is not written.
    #[serde(default = "four")]
    pub knots: usize,
}

impl Change for TimeWarp {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        check(self.sigma, self.knots, shape)
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let len = length(shape);
        warp_time(row, len, &curve(&draw(self.sigma, self.knots, draws), len));
    }
}

/// The least speed: time does not stand still, nor go backwards, where a curve is below.
const SLOWEST: f64 = 0.05;

/// Position i of the result is read at the sum of the speeds behind the first up to the i-th, scaled
/// so that the last position stays.
pub(in crate::augment) fn warp_time(row: &mut [f32], len: usize, speed: &[f64]) {
    let mut time = 0.0;
    let mut times = Vec::with_capacity(len);
    for (at, speed) in speed.iter().enumerate() {
        time += if at == 0 { 0.0 } else { speed.max(SLOWEST) };
        times.push(time);
    }
    let scale = if time > 0.0 { (len - 1) as f64 / time } else { 1.0 };
    for channel in row.chunks_exact_mut(len) {
        let original = channel.to_vec();
        for (to, time) in channel.iter_mut().zip(&times) {
            *to = between(&original, time * scale);
        }
    }
}
