//! The kernels for CUDA and their names. Tests run them on the processor: a machine without a device
//! sees at least what they compute.

#[cfg(all(test, feature = "trial", target_os = "linux"))]
mod gradients_tests;
pub(super) mod names;
#[cfg(all(test, feature = "trial", target_os = "linux"))]
mod operations_tests;
#[cfg(all(test, feature = "trial", target_os = "linux"))]
mod program;
