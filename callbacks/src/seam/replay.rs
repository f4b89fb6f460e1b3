//! A step's forward pass, once more.

use super::CallbackError;

/// Computes the forward pass of a step again, with the weights that it had, and looks at every layer.
/// Costs about a step, so it is for when something is wrong, or for some steps of many.
pub trait Replay {
    /// The first layer that gives a number which is not finite, and for which samples. `None` where
    /// every layer's output is finite: then the loss or the backward pass makes it, or, under mixed
    /// precision, the range of f16, since this is computed in f32.
    ///
    /// # Errors
    /// The pass fails.
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError>;

    /// What each activation gives that has parts where it is flat, such as a ReLU or a tanh, in the
    /// order of the network. Where a step has several batches, for the last of them, or the
    /// first whose loss is not finite.
    ///
    /// # Errors
    /// The pass fails.
    fn activity(&self) -> Result<Vec<Activity>, CallbackError>;
}

/// What an activation gives for one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// The layer's place, for example "1".
    pub layer: String,
    /// What it is, for example "Relu".
    pub kind: String,
    /// The mean of its output.
    pub mean: f64,
    /// The standard deviation of its output.
    pub std: f64,
    /// The share of elements where it is flat, so that next to no gradient passes: where a ReLU gives
    /// 0, where a tanh is within 0.03 of −1 or 1, and a sigmoid within 0.015 of 0 or 1.
    pub flat: f64,
    /// For each unit, whether it is flat for every sample. A unit is an element of a sample, or a
    /// channel where a sample is [channels, height, width].
    pub silent: Vec<bool>,
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
