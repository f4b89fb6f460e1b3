//! Every layer, loss and optimiser against numbers that PyTorch made, and layers against
//! differences.
//!
//! The fixtures are written by `tests/python/make_layer_fixtures.py`, in f64. A layer's form in
//! dfdx's operations is compared in f64, closely, and in f32; its form on the processor's memory in
//! f32, with the other form, and under mixed precision.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy excuses only the test functions themselves"
)]

mod dropout;
mod layers;
mod losses;
mod mixed;
mod optimizers;
mod padding;
mod sequences;
