//! Mixed precision on dfdx's tensors.
//!
//! A network runs on a tape of f16. A layer that needs f32 is one operation on that tape: it runs on an
//! inner tape of f32, whose way back is run when the outer one comes by.

use std::cell::RefCell;
use std::rc::Rc;

use dfdx::prelude::*;
use trainbook_core::array::{Array, Numbers};

use super::arithmetic::HalfArithmetic;
use super::backend::{Backend, Buffer, Half, Rank4};
use super::mixing::{LossOf, MixedBatch, MixedOutcome, Mixing};
use super::pass::{Full, Tensors};
use super::{Flow, Pass, Real, Taped};
use crate::NnError;
use crate::layer::{Autocast, DynLayer, Fault};
use crate::plan::Node;
use crate::task::indices;

/// The copy of the tensors that is computed with, as long as it is that of the tensors.
pub(super) struct Mixed<D: Storage<Half>>(Option<Tensors<Half, D>>);

impl<D: Storage<Half>> Default for Mixed<D> {
    fn default() -> Self {
        Self(None)
    }
}

impl<D: HalfArithmetic> Mixing<D> for Mixed<D>
where
    Self: crate::task::Movable,
{
    fn run(
        &mut self,
        batch: MixedBatch<'_, D>,
        loss: &LossOf<'_, D>,
        gradients: &mut Gradients<f32, D>,
    ) -> Result<MixedOutcome<D>, NnError> {
        let MixedBatch { planned, tensors, context, device, input, scale, share } = batch;
        let slots = planned.layout.slots();
        if self.0.is_none() {
            let half = tensors.iter().filter(|(slot, _)| slots[**slot].half);
            let copy = |(slot, tensor): (&usize, &Tensor<(usize,), f32, D>)| {
                Ok((*slot, tensor.clone().try_to_dtype::<Half>()?))
            };
            let copies = half.map(copy).collect::<Result<_, D::Err>>();
            self.0 = Some(copies.map_err(|e| NnError::device("round the weights", &e))?);
        }
        let working = self.0.get_or_insert_default();
        let full = Full {
            tensors,
            buffers: RefCell::default(),
            gradients: Rc::new(RefCell::new(Gradients::leaky())),
        };
        let x = begin(device, input)?;
        let mut none = Tensors::new();
        let mut outputs = Pass::new(&planned.root, working, context, &mut none)
            .full(&full)
            .run(x)
            .map_err(NnError::from_fault)?;

        let shape = outputs.shape().to_vec();
        let compute = |e: D::Err| NnError::device("run the network backward", &e);
        let wide = outputs.widened().map_err(compute)?;
        let (outputs, tape) = outputs.flat().split_tape();
        // The loss is f32, on a tape of its own, and its gradient in the outputs what the other begins
        // its way back with.
        let traced = wide.clone().traced(Gradients::leaky());
        let loss = loss(Flow::shaped(traced, shape).map_err(NnError::from_fault)?)?;
        let mean = loss.retaped();
        let back = loss.try_mul(scale * share).and_then(Backward::try_backward);
        let mut back = back.map_err(compute)?;
        let gradient = back.get_or_alloc_mut(&wide).map_err(compute)?.clone();
        let back = backward(outputs.put_tape(tape), move |sum| D::add_narrowed(sum, &gradient));
        let mut back = back.map_err(compute)?;

        let unscale = f64::from(scale).recip() as f32;
        let mut of_full = full.gradients.borrow_mut();
        for (slot, tensor) in tensors.iter().filter(|(slot, _)| slots[**slot].is_trained()) {
            let sum = gradients.get_or_alloc_mut(tensor).map_err(compute)?;
            match working.get(slot) {
                Some(half) => {
                    let of_batch = back.get_or_alloc_mut(half).map_err(compute)?;
                    D::add_widened(sum, of_batch, unscale).map_err(compute)?;
                }
                None => {
                    let of_batch = of_full.get_or_alloc_mut(tensor).map_err(compute)?;
                    D::add_scaled(sum, of_batch, unscale).map_err(compute)?;
                }
            }
        }
        Ok(MixedOutcome { mean, buffers: full.buffers.take() })
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

/// What a network begins with.
fn begin<D: HalfArithmetic>(device: &D, input: &Array) -> Result<Flow<Half, D>, NnError> {
    let (shape, tape) = (input.shape.clone(), Gradients::leaky());
    match &input.numbers {
        Numbers::F32(numbers) => {
            let half = numbers.iter().map(|v| Half::of(f64::from(*v))).collect();
            Flow::begin(device, shape, half, tape)
        }
        Numbers::I64(_) => Flow::begin_indices(device, shape, indices(input)?, tape),
    }
    .map_err(|e: D::Err| NnError::device("make a tensor", &e))
}

/// Runs a layer in a pass of f16: by `half` where it computes in f16 or hands on what its parts give.
pub(super) fn run<D: HalfArithmetic>(
    layer: &dyn DynLayer,
    pass: &mut Pass<'_, Half, D>,
    x: Flow<Half, D>,
    half: impl FnOnce(&mut Pass<'_, Half, D>, Flow<Half, D>) -> Result<Flow<Half, D>, Fault>,
) -> Result<Flow<Half, D>, Fault> {
    match layer.autocast() {
        Autocast::Half | Autocast::Unchanged => half(pass, x),
        Autocast::FullInside | Autocast::Full => in_full(layer, pass, x),
    }
}

fn in_full<D: HalfArithmetic>(
    layer: &dyn DynLayer,
    pass: &mut Pass<'_, Half, D>,
    mut x: Flow<Half, D>,
) -> Result<Flow<Half, D>, Fault> {
    let full = pass.in_full().ok_or_else(|| Fault::new("its tensors in f32 are not at hand"))?;
    let shape = x.shape().to_vec();
    let wide = x.widened()?;
    let (x, tape) = x.flat().split_tape();
    let traced = Flow::shaped(wide.clone().traced(Gradients::leaky()), shape)?;
    let mut buffers = Tensors::new();
    let y = <D as Backend<f32>>::run(layer, &mut pass.widened(full, &mut buffers), traced)?;
    full.buffers.borrow_mut().extend(buffers);

    let mut parameters = Vec::new();
    add_parameters(pass.node(), full.tensors, &mut parameters);
    let gradients = Rc::clone(&full.gradients);
    let shape = y.shape().to_vec();
    let y = y.flat();
    // Of a normalisation the next layer is to see what every layer of f16 gives.
    let unrounded = (layer.autocast() == Autocast::Full).then(|| y.retaped());
    let y = Flow::shaped(behind((x, tape), wide, y, parameters, Some(gradients))?, shape)?;
    Ok(match unrounded {
        Some(unrounded) => y.rounded_from(unrounded),
        None => y,
    })
}

/// The tensors of a layer and its parts.
fn add_parameters<D: Storage<f32>>(
    node: &Node,
    tensors: &Tensors<f32, D>,
    into: &mut Vec<Tensor<(usize,), f32, D>>,
) {
    into.extend(node.slots.iter().filter_map(|slot| tensors.get(slot).cloned()));
    node.children.iter().for_each(|part| add_parameters(part, tensors, into));
}

/// The softmax over the last dimension, in f32.
pub(super) fn softmax<D: HalfArithmetic>(
    x: Taped<Rank4, Half, D>,
) -> Result<Taped<Rank4, Half, D>, D::Err> {
    let shape = *x.shape();
    let (x, tape) = x.try_reshape_like(&(shape.num_elements(),))?.split_tape();
    let wide = x.clone().try_to_dtype::<f32>()?;
    let inner = wide.clone().traced(Gradients::leaky()).try_reshape_like(&shape)?;
    let y = inner.try_softmax::<Axis<3>>()?.try_reshape_like(&(shape.num_elements(),))?;
    behind((x, tape), wide, y, Vec::new(), None)?.try_reshape_like(&shape)
}

/// What was computed on an inner tape from `wide`, which is `x`, as one operation on the outer tape.
fn behind<D: HalfArithmetic>(
    (x, mut tape): (Tensor<(usize,), Half, D>, OwnedTape<Half, D>),
    wide: Tensor<(usize,), f32, D>,
    y: Taped<(usize,), f32, D>,
    parameters: Vec<Tensor<(usize,), f32, D>>,
    gradients: Option<Rc<RefCell<Gradients<f32, D>>>>,
) -> Result<Taped<(usize,), Half, D>, D::Err> {
    let narrow = y.retaped::<NoneTape>().try_to_dtype::<Half>()?;
    let (x, given) = (x.ghost(), narrow.ghost());
    tape.add_backward_op(move |outer| {
        // The inner way back begins with the gradient that has come so far, of whatever it is.
        let gradient = outer.get_or_alloc_mut(&given)?.clone();
        let mut inner = backward(y, move |sum| D::add_widened(sum, &gradient, 1.0))?;
        D::add_narrowed(outer.get_or_alloc_mut(&x)?, inner.get_or_alloc_mut(&wide)?)?;
        if let Some(gradients) = gradients {
            let mut gradients = gradients.borrow_mut();
            for parameter in &parameters {
                let sum = gradients.get_or_alloc_mut(parameter)?;
                D::add_scaled(sum, inner.get_or_alloc_mut(parameter)?, 1.0)?;
            }
        }
        Ok(())
    });
    Ok(narrow.put_tape(tape))
}

/// The gradients in everything that `y` came of. `begin` adds the gradient in `y` to zeros.
fn backward<E: Real, D: Backend<E>>(
    y: Taped<(usize,), E, D>,
    begin: impl FnOnce(&mut Buffer<E, D>) -> Result<(), D::Err> + 'static,
) -> Result<Gradients<E, D>, D::Err> {
    let (y, mut tape) = y.split_tape();
    let nothing: Tensor<(), E, D> = y.device().try_zeros()?;
    let y = y.ghost();
    tape.add_backward_op(move |gradients| begin(gradients.get_or_alloc_mut(&y)?));
    nothing.put_tape(tape).try_backward()
}
