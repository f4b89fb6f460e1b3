//! Every layer of dfdx against its ONNX form. A program of its own, because it compiles some sixty
//! small networks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy excuses only the test functions themselves"
)]

mod book;
mod complete;
mod folder;
mod matrix;
mod network;
mod refusals;
mod registry;
