//! `trainbook` trains neural networks the way the training playbook says, and can prove what it
//! did.
//!
//! The rooms, in the order in which a training run passes through them. Those with a crate of their
//! own are re-exported here:
//!
//! | | |
//! |---|---|
//! | [`data`] | reading, splitting and checking data; batches |
//! | [`nn`], [`optim`] | networks as data, how weights begin and how they are updated |
//! | [`metric`] | how good outputs are, beside the loss |
//! | [`task`] | the seam to the engine: everything generic stays behind [`task::Task`] |
//! | [`trainer`] | the trainer, its loop, and the run that it returns |
//! | [`checks`] | diagnostics such as the learning-rate finder |
//! | [`onnx`] | export, checked in ONNX Runtime |
//! | [`history`] | the run store, whose answers show themselves |
//! | [`display`] | how values show themselves in a notebook |
//! | [`random`] | the keyed streams from which all randomness comes |
//!
//! Callbacks live in [`trainbook_callbacks`], run history in [`trainbook_store`]; both are
//! re-exported as [`callbacks`] and [`store`].

pub mod checks;
pub mod display;
mod error;
pub mod history;
pub mod interval;
pub mod onnx;
pub mod prelude;
mod tensor_file;
pub mod trainer;

pub use error::Error;
pub use trainbook_callbacks as callbacks;
pub use trainbook_core::random;
pub use trainbook_data as data;
pub use trainbook_metrics as metric;
pub use trainbook_nn as nn;
pub use trainbook_nn::{optim, task};
pub use trainbook_store as store;
