//! One way of a batch through a network, on dfdx's tensors.

#[cfg(any(feature = "trial", feature = "cuda"))]
use std::cell::RefCell;
use std::collections::BTreeMap;
#[cfg(any(feature = "trial", feature = "cuda"))]
use std::rc::Rc;
use std::sync::Arc;

use dfdx::prelude::*;

use super::{Backend, Flow, Real};
use crate::context::Context;
use crate::layer::Fault;
use crate::plan::Node;

/// A network's tensors on a device, by the numbers of their slots.
pub(crate) type Tensors<E, D> = BTreeMap<usize, Tensor<(usize,), E, D>>;

/// What a pass of f16 has for layers that compute in f32.
#[cfg(any(feature = "trial", feature = "cuda"))]
pub(crate) struct Full<'a, D: Storage<f32>> {
    /// The network's tensors, all of them in f32.
    pub tensors: &'a Tensors<f32, D>,
    /// What became of those that are carried along.
    pub buffers: RefCell<Tensors<f32, D>>,
    /// The gradients in tensors of such layers.
    pub gradients: Rc<RefCell<Gradients<f32, D>>>,
}

/// What a layer has at hand while it computes.
pub struct Pass<'a, E: Real, D: Backend<E>> {
    node: &'a Node,
    tensors: &'a Tensors<E, D>,
    context: Context<'a>,
    buffers: &'a mut Tensors<E, D>,
    /// The indices that the network began with.
    tokens: Option<Arc<[usize]>>,
    /// In a pass of f16 alone.
    #[cfg(any(feature = "trial", feature = "cuda"))]
    full: Option<&'a Full<'a, D>>,
}

impl<'a, E: Real, D: Backend<E>> Pass<'a, E, D> {
    pub(crate) fn new(
        node: &'a Node,
        tensors: &'a Tensors<E, D>,
        context: Context<'a>,
        buffers: &'a mut Tensors<E, D>,
    ) -> Self {
        Self {
            node,
            tensors,
            context,
            buffers,
            tokens: None,
            #[cfg(any(feature = "trial", feature = "cuda"))]
            full: None,
        }
    }

    /// The same pass, in f16, with what its layers of f32 need.
    #[cfg(any(feature = "trial", feature = "cuda"))]
    pub(super) fn full(mut self, full: &'a Full<'a, D>) -> Self {
        self.full = Some(full);
        self
    }

    #[cfg(any(feature = "trial", feature = "cuda"))]
    pub(super) fn in_full(&self) -> Option<&'a Full<'a, D>> {
        self.full
    }

    /// This layer's pass in f32.
    #[cfg(any(feature = "trial", feature = "cuda"))]
    pub(super) fn widened<'b>(
        &self,
        full: &'b Full<'b, D>,
        buffers: &'b mut Tensors<f32, D>,
    ) -> Pass<'b, f32, D>
    where
        'a: 'b,
        D: Backend<f32>,
    {
        let Self { node, context, ref tokens, .. } = *self;
        Pass { node, tensors: full.tensors, context, buffers, tokens: tokens.clone(), full: None }
    }

    /// Runs this pass's layer.
    pub(crate) fn run(&mut self, x: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
        let node = self.node;
        // At the root these are the network's; its parts are told.
        if self.tokens.is_none() {
            self.tokens = x.indices().cloned();
        }
        D::run(node.layer.layer(), self, x).map_err(|fault| fault.at(node.layer.kind(), &node.path))
    }

    /// Whether the network is being trained: dropout drops and batch norm uses the batch. In
    /// evaluation neither.
    pub fn is_training(&self) -> bool {
        self.context.training
    }

    /// The key of what is drawn in this layer; see [`Context`].
    pub fn context(&self) -> Context<'a> {
        self.context
    }

    /// For each position of each sample whether it is padding, one sample behind the other; `None`
    /// where nothing says so ([`Sample::padding`](crate::Sample::padding)).
    ///
    /// # Errors
    /// The positions are not as many as the network's indices.
    pub fn padding(&self) -> Result<Option<Vec<bool>>, Fault> {
        self.node.input.is_padding(self.tokens.as_deref())
    }

    /// Where the layer is.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// The layer's tensor of this number, in the order in which it declared them, in a shape of as
    /// many elements.
    ///
    /// # Errors
    /// There is no such tensor, or it has another number of elements.
    pub fn parameter<S: Shape>(&self, number: usize, shape: S) -> Result<Tensor<S, E, D>, Fault> {
        let slot = self.node.slots.get(number);
        let tensor = slot.and_then(|slot| self.tensors.get(slot)).ok_or_else(|| {
            Fault::new(format!(
                "it has declared {} tensors, and asks for number {number}",
                self.node.slots.len()
            ))
        })?;
        if tensor.shape().0 != shape.num_elements() {
            return Err(Fault::new(format!(
                "its tensor {number} has {} elements, which do not make {:?}",
                tensor.shape().0,
                shape.concrete().into_iter().collect::<Vec<_>>()
            )));
        }
        Ok(tensor.clone().try_reshape_like(&shape)?)
    }

    /// Puts new values into a buffer of the layer, once the step is done.
    ///
    /// # Errors
    /// There is no such tensor.
    pub fn set_buffer<S: Shape>(
        &mut self,
        number: usize,
        tensor: Tensor<S, E, D>,
    ) -> Result<(), Fault> {
        let slot = *self
            .node
            .slots
            .get(number)
            .ok_or_else(|| Fault::new(format!("it has no tensor {number}")))?;
        let len = tensor.shape().num_elements();
        self.buffers.insert(slot, tensor.try_reshape_like(&(len,))?);
        Ok(())
    }

    /// Runs the layer's part of this number, in the order in which it declared them.
    ///
    /// # Errors
    /// Those of the part; there is no such part.
    pub fn part(&mut self, number: usize, x: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
        let node = self
            .node
            .children
            .get(number)
            .ok_or_else(|| Fault::new(format!("it has no part {number}")))?;
        let mut pass = Pass::new(node, self.tensors, self.context, self.buffers);
        pass.tokens = self.tokens.clone();
        #[cfg(any(feature = "trial", feature = "cuda"))]
        {
            pass.full = self.full;
        }
        pass.run(x)
    }
}
