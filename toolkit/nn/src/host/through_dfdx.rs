//! Layers without a form of their own on the processor's memory: their form in dfdx's operations,
//! on a tape of its own.

use dfdx::prelude::*;

use super::{HostPass, HostTensor};
use crate::layer::Fault;
use crate::on_dfdx::{Flow, Pass, Taped, Tensors};
use crate::plan::Node;

/// What the way back needs: the output with its tape, and the names under which gradients will
/// stand.
struct Walked {
    output: Taped<(usize,), f32, Cpu>,
    input: Tensor<(usize,), f32, Cpu>,
    input_shape: Vec<usize>,
    parameters: Tensors<f32, Cpu>,
}

/// The slots of a layer and all its parts.
fn slots(node: &Node, into: &mut Vec<usize>) {
    into.extend(&node.slots);
    node.children.iter().for_each(|child| slots(child, into));
}

pub(super) fn forward(pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
    let device = Cpu::default();
    let mut wanted = Vec::new();
    slots(pass.node, &mut wanted);
    let mut tensors = Tensors::new();
    for slot in wanted {
        let values = pass.values[pass.slots[slot].range()].to_vec();
        let len = values.len();
        tensors.insert(slot, device.try_tensor_from_vec(values, (len,))?);
    }
    let input_shape = x.shape.clone();
    let begin = match x.indices() {
        Some(indices) => {
            Flow::begin_indices(&device, x.shape.clone(), indices.clone(), Gradients::leaky())?
        }
        None => Flow::begin(&device, x.shape.clone(), x.numbers().to_vec(), Gradients::leaky())?,
    };
    let input = begin.untaped();
    let mut buffers = Tensors::new();
    let output = Pass::new(pass.node, &tensors, pass.context, &mut buffers).run(begin)?;
    for (slot, tensor) in buffers {
        let mut values = vec![0.0; tensor.shape().0];
        tensor.copy_into(&mut values);
        pass.buffers.push((slot, values));
    }
    pass.free(x);
    let shape = output.shape().to_vec();
    let output = output.flat();
    let mut values = pass.memory(output.shape().0);
    output.retaped::<NoneTape>().copy_into(&mut values);
    if pass.recording {
        pass.save_other(Walked { output, input, input_shape, parameters: tensors });
    }
    Ok(HostTensor::new(shape, values))
}

pub(super) fn backward(
    pass: &mut HostPass<'_>,
    gradient: &HostTensor,
) -> Result<HostTensor, Fault> {
    let Walked { output, input, input_shape, parameters } = pass.saved_other()?;
    let (output, mut tape) = output.split_tape();
    let device = output.device().clone();
    // dfdx goes back from one number. This one has the gradient of the output put behind it, as if
    // it had been computed from the output.
    let end = output.ghost();
    let upstream = gradient.numbers().to_vec();
    tape.add_backward_op(move |gradients| {
        gradients.get_or_alloc_mut(&end)?.copy_from_slice(&upstream);
        Ok(())
    });
    let end: Tensor<(), f32, Cpu> = device.try_zeros()?;
    let mut gradients = end.put_tape(tape).try_backward()?;
    for (slot, parameter) in parameters {
        let slot = &pass.slots[slot];
        if slot.is_trained() {
            let from = gradients.get_or_alloc_mut(&parameter)?;
            pass.gradients[slot.range()]
                .iter_mut()
                .zip(from.iter())
                .for_each(|(g, more)| *g += more);
        }
    }
    if !pass.wants_input_gradient() {
        return Ok(HostTensor::none());
    }
    let from = gradients.get_or_alloc_mut(&input)?;
    let mut values = pass.memory(from.len());
    values.copy_from_slice(from);
    Ok(HostTensor::new(input_shape, values))
}
