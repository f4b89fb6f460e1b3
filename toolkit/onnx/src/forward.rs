//! The trainer's side of a comparison.

use super::array::Array;
use crate::ForwardError;

/// The trainer's own forward pass in evaluation mode: rows as the graph takes them (row-major) and
/// their number → the output, row-major.
pub type Predict<'a> = dyn Fn(&[f32], usize) -> Result<Vec<f32>, ForwardError> + 'a;

/// The same for any inputs and outputs: arrays as the graph takes them → the outputs, each
/// row-major.
pub type Forward<'a> = dyn Fn(&[Array]) -> Result<Vec<Vec<f32>>, ForwardError> + 'a;
