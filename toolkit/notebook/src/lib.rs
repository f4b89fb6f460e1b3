//! The dynamic library that a notebook loads: `trainbook`, re-exported whole.
pub use trainbook::*;
