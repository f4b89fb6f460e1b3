//! Numbers that are a little off.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::length;
use crate::DataError;
use crate::augment::{Change, positive};

/// Each number plus one from N(0, σ²). σ is on the scale of the numbers; 0.05 is usual where they
/// have a standard deviation of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// σ, above 0.
    pub sigma: f64,
}

impl Change for Jitter {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        positive("σ of the jitter", self.sigma)
    }

    fn change(&self, row: &mut [f32], _: &[usize], draws: &mut Draws) {
        row.iter_mut().for_each(|x| *x += (self.sigma * draws.normal()) as f32);
    }
}

/// Each channel times a factor from N(1, σ²). Makes sense where 0 is the middle or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MagnitudeScale {
    /// σ, above 0. The paper takes 0.1.
    pub sigma: f64,
}

impl Change for MagnitudeScale {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        positive("σ of the magnitude's scale", self.sigma)
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        for channel in row.chunks_exact_mut(length(shape)) {
            let factor = (1.0 + self.sigma * draws.normal()) as f32;
            channel.iter_mut().for_each(|x| *x *= factor);
        }
    }
}
