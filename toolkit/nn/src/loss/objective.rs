//! What a loss is. **Open this file first to add one**, or to write one of your own.

use std::fmt::Debug;

use trainbook_core::batch::{TargetKind, Targets};

use crate::NnError;
use crate::host::HostTensor;

/// What is minimised: how far a batch's outputs are from its targets, as one number.
///
/// A loss of your own implements this and is used through [`Loss::custom`](super::Loss::custom).
/// The losses of the library have a second form in dfdx's operations, for accelerators; one of your
/// own is computed on the host on every device.
pub trait Objective: Debug + Send + Sync {
    /// What it is called in records, for example "CrossEntropy".
    fn name(&self) -> &str;

    /// What it compares outputs with.
    fn takes(&self) -> TargetKind;

    /// Whether its options make sense, for a network that makes this of one sample.
    ///
    /// # Errors
    /// An option has a value that makes no sense, or one that does not fit the network.
    fn check(&self, output: &[usize]) -> Result<(), NnError> {
        let _ = output;
        Ok(())
    }

    /// The mean loss of a batch, and its gradient in the outputs. `outputs` are [N, …]; `gradient`
    /// has as many numbers, of any value, and is written whole.
    ///
    /// # Errors
    /// The targets are of the wrong kind or number, or a class is out of range.
    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError>;

    /// The same loss, not yet divided: the sum and the weight by which the mean divides it. Sums
    /// and weights of several batches, added and then divided, give the mean over all of them,
    /// however unequal they are.
    ///
    /// # Errors
    /// Those of [`with_gradient`](Self::with_gradient).
    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError>;

    /// Whether a position of this class counts at all; metrics leave the others out. Default: it
    /// does.
    fn counts(&self, class: u32) -> bool {
        let _ = class;
        true
    }

    /// How much a batch with these targets counts beside other batches: by what its mean divides.
    /// Default: the number of targets.
    fn weight(&self, targets: &Targets) -> f64 {
        targets.len() as f64
    }
}
