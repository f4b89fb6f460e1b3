//! What a device must be able to do to train in mixed precision, whatever it computes in.

use dfdx::prelude::{Gradients, Tensor};
use trainbook_core::array::Array;

use super::{Backend, Flow, Taped, Tensors};
use crate::NnError;
use crate::context::Context;
use crate::plan::Planned;
use crate::task::Movable;

/// Forward and backward passes in f16 and f32, as [`Autocast`](crate::layer::Autocast) says.
pub(crate) trait Mixing<D: Backend<f32>>: Movable {
    /// Runs a batch forward and backward, and adds its gradients to those of the step.
    ///
    /// # Errors
    /// Those of the layers, of the loss and of the device.
    fn run(
        &mut self,
        batch: MixedBatch<'_, D>,
        loss: &LossOf<'_, D>,
        gradients: &mut Gradients<f32, D>,
    ) -> Result<MixedOutcome<D>, NnError>;

    /// Has what the network computes with taken anew from its tensors, which have changed.
    fn forget(&mut self);
}

/// The mean loss of what a network gives, in f32.
pub(crate) type LossOf<'l, D> = dyn Fn(Flow<f32, D>) -> Result<Taped<(), f32, D>, NnError> + 'l;

/// What came of a batch.
pub(crate) struct MixedOutcome<D: Backend<f32>> {
    pub mean: Tensor<(), f32, D>,
    /// What became of tensors that are carried along.
    pub buffers: Tensors<f32, D>,
}

/// A batch, and the network that it goes through.
#[cfg_attr(
    not(any(feature = "trial", feature = "cuda")),
    expect(dead_code, reason = "dfdx's tensors are trained in f32 alone in such a build")
)]
pub(crate) struct MixedBatch<'a, D: Backend<f32>> {
    pub planned: &'a Planned,
    /// The network's tensors, all of them in f32.
    pub tensors: &'a Tensors<f32, D>,
    pub context: Context<'a>,
    pub device: &'a D,
    pub input: &'a Array,
    /// By what the loss is multiplied.
    pub scale: f32,
    /// Which share the batch has in the step's gradients.
    pub share: f32,
}
