//! A step's forward pass, once more.

use super::CallbackError;

/// Computes the forward pass of a step again, with the weights that it had, and looks at every layer.
/// Costs about a step, so it is for when something is wrong.
pub trait Replay {
    /// The first layer that gives a number which is not finite, and for which samples. `None` where
    /// every layer's output is finite: then the loss or the backward pass makes it, or, under mixed
    /// precision, the range of f16, since this is computed in f32.
    ///
    /// # Errors
    /// The pass fails.
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError>;
}

/// Where numbers that are not finite begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// The layer's place and kind, for example "2 (Linear)", or "the input".
    pub layer: String,
    /// The samples for which it gives one, as their numbers in the data set.
    pub samples: Vec<usize>,
    /// How many NaN it gives.
    pub nans: usize,
    /// How many infinities.
    pub infs: usize,
}
