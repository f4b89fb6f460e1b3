//! The kernels for CUDA, run on the processor: a machine without a device sees at least what they
//! compute.

mod gradients_tests;
mod operations_tests;
mod program;
