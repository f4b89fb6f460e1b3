//! The curves, one a file.

mod constant;
mod cosine;
mod cyclic;
mod exponential;
mod inverse_sqrt;
mod linear;
mod one_cycle;
mod polynomial;
mod stable_decay;
mod step;

use std::f64::consts::PI;

pub use constant::Constant;
pub use cosine::{Cosine, CosineWithRestarts};
pub use cyclic::{Cyclic, Mode};
pub use exponential::Exponential;
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;
pub use one_cycle::{Anneal, OneCycle};
pub use polynomial::Polynomial;
pub use stable_decay::{Decay, StableDecay};
pub use step::{MultiStep, Step};

/// From `start` to `end` along a half cosine, `part` of the way.
fn half_cosine(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) / 2.0 * ((PI * part).cos() + 1.0)
}

/// From `start` to `end` along a line, `part` of the way.
fn line(start: f64, end: f64, part: f64) -> f64 {
    start + (end - start) * part
}
