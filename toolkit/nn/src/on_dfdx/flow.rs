//! What goes from layer to layer.

use std::ops::Range;
use std::sync::Arc;

use dfdx::prelude::*;

use super::{Backend, Real};
use crate::layer::Fault;

/// A tensor with the tape that leads back to the parameters.
pub type Taped<S, E, D> = Tensor<S, E, D, OwnedTape<E, D>>;

/// What goes from layer to layer on dfdx's tensors: the samples of a batch, with a shape known at
/// run time.
#[derive(Debug)]
pub struct Flow<E: Real, D: Backend<E>> {
    shape: Vec<usize>,
    indices: Option<Arc<[usize]>>,
    flat: Taped<(usize,), E, D>,
    /// In a pass of f16 behind a layer of f32: what `flat` was before it was rounded.
    unrounded: Option<Tensor<(usize,), f32, D>>,
}

impl<E: Real, D: Backend<E>> Flow<E, D> {
    /// Numbers from the host, at the beginning of a network, on the tape that comes with
    /// `gradients`.
    pub(crate) fn begin(
        device: &D,
        shape: Vec<usize>,
        values: Vec<E>,
        gradients: Gradients<E, D>,
    ) -> Result<Self, D::Err> {
        let len = values.len();
        let flat = device.try_tensor_from_vec(values, (len,))?.traced(gradients);
        Ok(Self { shape, indices: None, flat, unrounded: None })
    }

    /// Indices from the host, at the beginning of a network.
    pub(crate) fn begin_indices(
        device: &D,
        shape: Vec<usize>,
        indices: Arc<[usize]>,
        gradients: Gradients<E, D>,
    ) -> Result<Self, D::Err> {
        let flat = device.try_zeros_like(&(0_usize,))?.traced(gradients);
        Ok(Self { shape, indices: Some(indices), flat, unrounded: None })
    }

    /// The same, which was this before it was rounded.
    #[cfg(any(feature = "trial", feature = "cuda"))]
    pub(super) fn rounded_from(mut self, unrounded: Tensor<(usize,), f32, D>) -> Self {
        self.unrounded = Some(unrounded);
        self
    }

    /// The tensor in f32: as it was before it was rounded, where that is known.
    #[cfg(any(feature = "trial", feature = "cuda"))]
    pub(super) fn widened(&mut self) -> Result<Tensor<(usize,), f32, D>, D::Err> {
        match self.unrounded.take() {
            Some(unrounded) => Ok(unrounded),
            None => self.untaped().try_to_dtype::<f32>(),
        }
    }

    /// The same tensor without its tape; its gradient will stand under this one's name.
    pub(crate) fn untaped(&self) -> Tensor<(usize,), E, D> {
        self.flat.retaped()
    }

    /// Its dimensions, the batch first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many samples there are.
    pub fn batch(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The indices that a network begins with; `None` for numbers.
    pub fn indices(&self) -> Option<&Arc<[usize]>> {
        self.indices.as_ref()
    }

    /// The device that it is on.
    pub fn device(&self) -> D {
        self.flat.device().clone()
    }

    /// The tensor in a shape of as many elements; changes no memory.
    ///
    /// # Errors
    /// The shape has another number of elements.
    pub fn view<S: Shape>(self, shape: S) -> Result<Taped<S, E, D>, Fault> {
        if shape.num_elements() != self.flat.shape().0 {
            return Err(Fault::new(format!(
                "a tensor of shape {:?} cannot be seen as {:?}",
                self.shape,
                shape.concrete().into_iter().collect::<Vec<_>>()
            )));
        }
        Ok(self.flat.try_reshape_like(&shape)?)
    }

    /// The entries `kept` of the middle one of three dimensions, of which the tensor is made up.
    ///
    /// On the way back dfdx's slice on the processor puts its gradient in place of what is there, so
    /// it must be of a tensor that nobody else uses: of a copy.
    ///
    /// # Errors
    /// The dimensions make another number of elements.
    pub fn slice(
        self,
        [before, dim, after]: [usize; 3],
        kept: Range<usize>,
    ) -> Result<Self, Fault> {
        let own = self.view((before, dim, after))?.try_mul(E::of(1.0))?;
        Self::of(own.try_slice((0..before, kept, 0..after))?)
    }

    /// The tensor as a matrix: everything but the last dimension, × the last.
    ///
    /// # Errors
    /// There is no dimension, or these are indices.
    pub fn rows(self) -> Result<Taped<(usize, usize), E, D>, Fault> {
        let last = self.shape.last().copied().unwrap_or(1).max(1);
        let rows = self.shape.iter().product::<usize>() / last;
        self.view((rows, last))
    }

    /// The tensor flat.
    pub fn flat(self) -> Taped<(usize,), E, D> {
        self.flat
    }

    /// What a layer has computed, in any rank.
    ///
    /// # Errors
    /// The device cannot bring its memory in order.
    pub fn of<S: Shape>(tensor: Taped<S, E, D>) -> Result<Self, Fault> {
        let shape = tensor.shape().concrete().into_iter().collect();
        Self::shaped(tensor, shape)
    }

    /// What a layer has computed, in this shape of as many elements.
    ///
    /// # Errors
    /// The shape has another number of elements, or the device cannot bring the memory in order.
    pub fn shaped<S: Shape>(tensor: Taped<S, E, D>, shape: Vec<usize>) -> Result<Self, Fault> {
        let len = tensor.shape().num_elements();
        if shape.iter().product::<usize>() != len {
            return Err(Fault::new(format!("{len} elements do not fill the shape {shape:?}")));
        }
        let flat = tensor.try_reshape_like(&(len,))?;
        Ok(Self { shape, indices: None, flat, unrounded: None })
    }

    /// Applies an operation that keeps the shape.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn map(
        self,
        f: impl FnOnce(Taped<(usize,), E, D>) -> Result<Taped<(usize,), E, D>, Fault>,
    ) -> Result<Self, Fault> {
        let Self { shape, indices, flat, .. } = self;
        Ok(Self { shape, indices, flat: f(flat)?, unrounded: None })
    }

    /// The same values for a second use; its tape is empty, and joins when the two meet again.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            shape: self.shape.clone(),
            indices: self.indices.clone(),
            flat: self.flat.with_empty_tape(),
            unrounded: self.unrounded.clone(),
        }
    }
}
