//! A shortcut around some parts of a block, in each form.

use std::ops::Range;

use dfdx::tensor_ops::{TryAdd as _, TryConcatAlong as _};
use trainbook_onnx::{Attribute, Value};

use crate::host::{HostPass, HostTensor, rows};
use crate::layer::Fault;
use crate::layer::residual::add;
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;

/// A part of a block with a shortcut, as numbers of parts.
pub(super) struct Shortcut {
    /// What the shortcut leads around.
    pub around: Range<usize>,
    /// What comes behind the shortcut.
    pub behind: Range<usize>,
    /// Which of them takes the memory in front of the sequence, and gives the sequence.
    pub looks: Option<usize>,
}

impl Shortcut {
    pub fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        mut x: Flow<E, D>,
        memory: Option<&Flow<E, D>>,
    ) -> Result<Flow<E, D>, Fault> {
        let beside = x.fork();
        for part in self.around.clone() {
            if let (Some(memory), true) = (memory, self.looks == Some(part)) {
                x = joined(memory.fork(), x)?;
            }
            x = pass.part(part, x)?;
        }
        x = x.map(|x| Ok(x.try_add(beside.flat())?))?;
        for part in self.behind.clone() {
            x = pass.part(part, x)?;
        }
        Ok(x)
    }

    pub fn onnx(
        &self,
        pass: &mut OnnxPass<'_>,
        x: &Value,
        memory: Option<&Value>,
    ) -> Result<Value, Fault> {
        let (mut x, beside) = (x.clone(), x.name.clone());
        for part in self.around.clone() {
            if let (Some(memory), true) = (memory, self.looks == Some(part)) {
                x = joined_onnx(pass, memory, &x)?;
            }
            x = pass.part(part, &x)?;
        }
        x = pass.node("Add", &[&x.name, &beside], &[])?;
        for part in self.behind.clone() {
            x = pass.part(part, &x)?;
        }
        Ok(x)
    }

    pub fn host_forward(
        &self,
        pass: &mut HostPass<'_>,
        mut x: HostTensor,
        memory: Option<&HostTensor>,
    ) -> Result<HostTensor, Fault> {
        let beside = x.clone();
        for part in self.around.clone() {
            if let (Some(memory), true) = (memory, self.looks == Some(part)) {
                x = joined_on_host(pass, memory, x);
            }
            x = pass.part_forward(part, x)?;
        }
        add(&mut x, &beside);
        pass.round(x.numbers_mut());
        pass.free(beside);
        for part in self.behind.clone() {
            x = pass.part_forward(part, x)?;
        }
        Ok(x)
    }

    /// Adds the gradient in the memory to `of_memory`.
    pub fn host_backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
        mut of_memory: Option<&mut HostTensor>,
    ) -> Result<HostTensor, Fault> {
        for part in self.behind.clone().rev() {
            gradient = pass.part_backward(part, gradient)?;
        }
        let beside = pass.copied(&gradient);
        for part in self.around.clone().rev() {
            gradient = pass.part_backward(part, gradient)?;
            if gradient.is_none() {
                // Only the first part of all can have nothing trained in front of it.
                return Ok(gradient);
            }
            if let (Some(of_memory), true) = (of_memory.as_deref_mut(), self.looks == Some(part)) {
                let positions = of_memory.shape.get(1).copied().unwrap_or(0);
                let (more, rest) = apart_on_host(pass, gradient, positions);
                add(of_memory, &more);
                pass.round(of_memory.numbers_mut());
                pass.free(more);
                gradient = rest;
            }
        }
        add(&mut gradient, &beside);
        pass.round(gradient.numbers_mut());
        pass.free(beside);
        Ok(gradient)
    }
}

/// Two sequences of equal batch and features, one behind the other.
pub(super) fn joined<E: Real, D: Backend<E>>(
    first: Flow<E, D>,
    second: Flow<E, D>,
) -> Result<Flow<E, D>, Fault> {
    let sizes = |x: &Flow<E, D>| match *x.shape() {
        [batch, length, features] => Ok((batch, length, features)),
        _ => Err(Fault::new("it takes [sequence, features]")),
    };
    let (a, b) = (sizes(&first)?, sizes(&second)?);
    Flow::of((first.view(a)?, second.view(b)?).try_concat_along(dfdx::shapes::Axis::<1>)?)
}

pub(super) fn joined_onnx(
    pass: &mut OnnxPass<'_>,
    first: &Value,
    second: &Value,
) -> Result<Value, Fault> {
    pass.node("Concat", &[&first.name, &second.name], &[("axis", Attribute::Int(1))])
}

pub(super) fn joined_on_host(
    pass: &mut HostPass<'_>,
    first: &HostTensor,
    second: HostTensor,
) -> HostTensor {
    let (batch, a) = (first.batch().max(1), first.numbers().len());
    let b = second.numbers().len();
    let (a, b) = (a / batch, b / batch);
    let mut both = pass.memory((a + b) * batch);
    rows::put(first.numbers(), &mut both, a + b, 0..a);
    rows::put(second.numbers(), &mut both, a + b, a..a + b);
    let mut shape = first.shape.clone();
    if let (Some(length), Some(more)) = (shape.get_mut(1), second.shape.get(1)) {
        *length += more;
    }
    pass.free(second);
    HostTensor::new(shape, both)
}

/// The first positions, so many, and the others.
pub(super) fn apart_on_host(
    pass: &mut HostPass<'_>,
    both: HostTensor,
    positions: usize,
) -> (HostTensor, HostTensor) {
    let (batch, length, features) = (both.batch(), both.shape[1], both.last());
    let (a, b) = (positions * features, (length - positions) * features);
    let (mut first, mut second) = (pass.memory(batch * a), pass.memory(batch * b));
    rows::cut(both.numbers(), a + b, 0..a, &mut first);
    rows::cut(both.numbers(), a + b, a..a + b, &mut second);
    pass.free(both);
    (
        HostTensor::new(vec![batch, positions, features], first),
        HostTensor::new(vec![batch, length - positions, features], second),
    )
}
