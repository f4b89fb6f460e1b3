//! `trainbook` trains neural networks the way the training playbook says, and can prove what it did.
//!
//! The rooms, in the order in which a training run passes through them:
//!
//! | | |
//! |---|---|
//! | [`data`] | reading, splitting and checking data; batches |
//! | [`nn`], [`optim`] | how weights begin and how they are updated |
//! | [`task`] | the seam to dfdx: everything generic stays behind [`task::Task`] |
//! | [`trainer`] | the trainer, its loop, and the run that it returns |
//! | [`checks`] | diagnostics such as the learning-rate finder |
//! | [`onnx`] | export, checked in ONNX Runtime |
//! | [`history`] | the run store, whose answers show themselves |
//! | [`display`] | how values show themselves in a notebook |
//! | [`random`] | the keyed streams from which all randomness comes |
//!
//! Callbacks live in [`trainbook_callbacks`], run history in [`trainbook_store`]; both are re-exported as [`callbacks`] and [`store`].

pub mod checks;
pub mod data;
pub mod display;
mod error;
pub mod history;
pub mod nn;
pub mod onnx;
pub mod optim;
pub mod prelude;
pub mod random;
pub mod task;
pub mod trainer;

pub use error::Error;
pub use trainbook_callbacks as callbacks;
pub use trainbook_store as store;
