//! Several runs side by side.
//!
//! Where [`diff`](crate::diff) takes two runs apart, this lays any number of them next to each other:
//! what differs of their settings, data, code and machines, what came out, and the curves of each
//! metric, thinned so that a chart can draw all runs over each other.

mod comparison;
mod field;
mod metric;
mod text;

pub use comparison::{ComparedRun, Comparison};
pub use field::ComparedField;
pub use metric::ComparedMetric;

#[cfg(test)]
mod tests;
