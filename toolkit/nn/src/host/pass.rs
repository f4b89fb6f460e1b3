//! One way of a batch through a network, in the processor's memory.

use std::any::Any;
use std::sync::Arc;

use super::{HostTensor, half, through_dfdx};
use crate::context::Context;
use crate::layer::{Autocast, Fault};
use crate::parameters::Slot;
use crate::plan::Node;

/// What the layers have put aside on the way forward, the last on top.
#[derive(Default)]
pub(crate) struct Aside {
    saved: Vec<Saved>,
    /// The indices that the network began with.
    tokens: Option<Arc<[usize]>>,
    /// Every layer's output under its path, if they are watched.
    outputs: Option<Vec<(String, HostTensor)>>,
}

impl Aside {
    /// Keeps every layer's output too.
    pub fn watching() -> Self {
        Self { outputs: Some(Vec::new()), ..Self::default() }
    }

    /// Gives back the memory of what no way back has taken up, behind what is not trained.
    pub fn give_back(self, memory: &mut Memory) {
        for saved in self.saved {
            if let Saved::Tensor(tensor) = saved {
                memory.give(tensor);
            }
        }
    }

    /// Every layer's output under its path, in the order in which they were computed.
    pub fn outputs(&mut self) -> Vec<(String, HostTensor)> {
        self.outputs.take().unwrap_or_default()
    }
}

/// A height of what is put aside.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

enum Saved {
    Tensor(HostTensor),
    Other(Box<dyn Any>),
}

/// Memory that was used and will be used again, so that a step that is like the one before it asks
/// the system for none.
#[derive(Default)]
pub(crate) struct Memory {
    kept: Vec<Vec<f32>>,
    allocated: usize,
    many_sizes: bool,
}

impl Memory {
    /// With nothing in it yet. For steps of many sizes, which are not all alike, what is kept serves
    /// whatever it is large enough for.
    pub fn new(many_sizes: bool) -> Self {
        Self { many_sizes, ..Self::default() }
    }

    /// Memory for so many numbers, of any value.
    pub fn take(&mut self, len: usize) -> Vec<f32> {
        let found = if self.many_sizes {
            let large_enough = |(_, memory): &(usize, &Vec<f32>)| memory.capacity() >= len;
            let kept = self.kept.iter().enumerate().filter(large_enough);
            kept.min_by_key(|(_, memory)| memory.capacity()).map(|(at, _)| at)
        } else {
            self.kept.iter().rposition(|memory| memory.len() == len)
        };
        match found {
            Some(found) => {
                let mut memory = self.kept.swap_remove(found);
                memory.resize(len, 0.0);
                memory
            }
            None => {
                if self.many_sizes {
                    self.drop_one(|memory| std::cmp::Reverse(memory.capacity())); // too small
                }
                self.allocated += len;
                vec![0.0; len]
            }
        }
    }

    /// Gives one of what is kept back to the system: that for which `rank` is least.
    fn drop_one<R: Ord>(&mut self, rank: impl Fn(&Vec<f32>) -> R) {
        let kept = self.kept.iter().enumerate();
        if let Some((at, _)) = kept.min_by_key(|(_, memory)| rank(memory)) {
            let gone = self.kept.swap_remove(at);
            self.allocated = self.allocated.saturating_sub(gone.capacity());
        }
    }

    /// Takes memory back, if nobody else holds it.
    pub fn give(&mut self, tensor: HostTensor) {
        if let Some(memory) = tensor.into_memory() {
            self.give_memory(memory);
        }
    }

    /// For how many numbers the system was asked that are still here, in use or for the next step.
    pub fn allocated(&self) -> usize {
        self.allocated
    }

    pub fn give_memory(&mut self, memory: Vec<f32>) {
        if memory.is_empty() {
            return;
        }
        self.kept.push(memory);
        if self.kept.len() > KEPT {
            self.drop_one(Vec::capacity);
        }
    }
}

/// How many buffers are kept for the next step at most.
const KEPT: usize = 256;

/// What a layer has at hand while it computes.
pub struct HostPass<'a> {
    pub(super) node: &'a Node,
    pub(super) slots: &'a [Slot],
    pub(super) values: &'a [f32],
    pub(super) gradients: &'a mut [f32],
    pub(super) buffers: &'a mut Vec<(usize, Vec<f32>)>,
    pub(super) context: Context<'a>,
    pub(super) aside: &'a mut Aside,
    pub(super) memory: &'a mut Memory,
    /// Whether a way back will follow.
    pub(super) recording: bool,
    /// How many layers are between two checkpoints, if what is between them is computed anew on the
    /// way back.
    pub(super) checkpoints: Option<usize>,
    /// Whether this is under mixed precision.
    pub(super) mixed: bool,
    /// The indices that the network began with.
    pub(super) tokens: Option<Arc<[usize]>>,
}

impl<'a> HostPass<'a> {
    /// A pass through the network at `node`. `gradients` are those of the trained parameters, and
    /// empty on the way forward; `buffers` receives what tensors are to become that are carried
    /// along, by slot.
    #[allow(clippy::too_many_arguments, reason = "called in two places, with all of them at hand")]
    pub(crate) fn new(
        node: &'a Node,
        slots: &'a [Slot],
        values: &'a [f32],
        gradients: &'a mut [f32],
        buffers: &'a mut Vec<(usize, Vec<f32>)>,
        context: Context<'a>,
        aside: &'a mut Aside,
        memory: &'a mut Memory,
        recording: bool,
    ) -> Self {
        Self {
            node,
            slots,
            values,
            gradients,
            buffers,
            context,
            aside,
            memory,
            recording,
            checkpoints: None,
            mixed: false,
            tokens: None,
        }
    }

    /// The same under mixed precision, if it is wanted: what layers hand on is rounded to f16, as
    /// they [say](Autocast).
    pub(crate) fn mixed(mut self, mixed: bool) -> Self {
        self.mixed = mixed;
        self
    }

    /// The same with so many layers between two checkpoints.
    pub(crate) fn checkpoints(mut self, stride: Option<usize>) -> Self {
        self.checkpoints = stride;
        self
    }

    /// Runs this pass's layer forward.
    pub(crate) fn forward(&mut self, x: HostTensor) -> Result<HostTensor, Fault> {
        let node = self.node;
        // At the root these are the network's; its parts are told.
        if self.tokens.is_none() {
            self.aside.tokens = x.indices().cloned();
            self.tokens = x.indices().cloned();
        }
        let how = self.autocast();
        let x = self.rounded(x);
        let was_half = x.is_half();
        if how == Some(Autocast::Full) {
            // For the gradient in its input.
            self.save_other(was_half);
        }
        let mut y = match node.layer.layer().host() {
            Some(layer) => layer.forward(self, x),
            None => through_dfdx::forward(self, x),
        }
        .map_err(|fault| fault.at(node.layer.kind(), &node.path))?;
        y = self.rounded(y);
        if how == Some(Autocast::Unchanged) && node.children.is_empty() {
            y.set_half(was_half);
        }
        if let Some(outputs) = &mut self.aside.outputs {
            outputs.push((node.path.clone(), y.clone()));
        }
        Ok(y)
    }

    /// Runs this pass's layer backward.
    pub(crate) fn backward(&mut self, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let node = self.node;
        if self.tokens.is_none() {
            self.tokens = self.aside.tokens.clone();
        }
        let dx = match node.layer.layer().host() {
            Some(layer) => layer.backward(self, gradient),
            None => through_dfdx::backward(self, &gradient),
        }
        .map_err(|fault| fault.at(node.layer.kind(), &node.path))?;
        // A gradient has the type of what it is the gradient in.
        let rounds = match self.autocast() {
            Some(Autocast::Half | Autocast::FullInside) => true,
            Some(Autocast::Full) => self.saved_other()?,
            Some(Autocast::Unchanged) | None => false,
        };
        Ok(if rounds { dx.rounded(self.memory) } else { dx })
    }

    /// What the layer computes in under mixed precision; `None` in f32.
    fn autocast(&self) -> Option<Autocast> {
        self.mixed.then(|| self.node.layer.layer().autocast())
    }

    /// Under mixed precision, rounds what the layer takes or gives to f16, if it takes and gives
    /// f16; otherwise leaves it as it is. A layer does so itself with what it keeps for the way back.
    pub fn rounded(&mut self, tensor: HostTensor) -> HostTensor {
        match self.autocast() {
            Some(Autocast::Half | Autocast::FullInside) => tensor.rounded(self.memory),
            Some(Autocast::Full | Autocast::Unchanged) | None => tensor,
        }
    }

    /// The same numbers in other memory, to be changed beside the first ones.
    pub fn copied(&mut self, tensor: &HostTensor) -> HostTensor {
        tensor.copied(self.memory)
    }

    /// Under mixed precision, rounds numbers to f16 that the layer computes on its way and would
    /// keep as such; otherwise leaves them as they are. What it takes and gives is rounded anyway.
    pub fn round(&self, numbers: &mut [f32]) {
        if self.mixed {
            half::round(numbers);
        }
    }

    /// Whether the network is being trained: dropout drops and batch norm uses the batch. In
    /// evaluation neither.
    pub fn is_training(&self) -> bool {
        self.context.training
    }

    /// From what this layer draws.
    pub fn context(&self) -> Context<'a> {
        self.context
    }

    /// Where the layer is.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// Whether anything in front of the layer is trained, so that somebody will use the gradient in
    /// its input.
    pub fn wants_input_gradient(&self) -> bool {
        self.node.behind_trained
    }

    /// For each position of each sample whether it is padding, one sample behind the other; `None`
    /// where nothing says so ([`Sample::padding`]). On the way forward only.
    ///
    /// # Errors
    /// The positions are not as many as the network's indices.
    ///
    /// [`Sample::padding`]: crate::Sample::padding
    pub fn padding(&self) -> Result<Option<Vec<bool>>, Fault> {
        self.node.input.is_padding(self.tokens.as_deref())
    }

    /// Whether a way back will follow; otherwise nothing need be put aside.
    pub fn is_recording(&self) -> bool {
        self.recording
    }

    /// The layer's tensor of this number, in the order in which it declared them; empty if there is
    /// none.
    pub fn parameter(&self, number: usize) -> &'a [f32] {
        match self.node.slots.get(number) {
            Some(&slot) => &self.values[self.slots[slot].range()],
            None => &[],
        }
    }

    /// The gradient of the layer's trained tensor of this number, to be added to; empty if there is
    /// none.
    pub fn gradient(&mut self, number: usize) -> &mut [f32] {
        match self.node.slots.get(number) {
            Some(&slot) if self.slots[slot].is_trained() => {
                &mut self.gradients[self.slots[slot].range()]
            }
            _ => &mut [],
        }
    }

    /// Puts new values into a buffer of the layer, once the step is done.
    pub fn set_buffer(&mut self, number: usize, values: Vec<f32>) {
        if let Some(&slot) = self.node.slots.get(number) {
            self.buffers.push((slot, values));
        }
    }

    /// Runs the layer's part of this number forward, in the order in which it declared them.
    ///
    /// # Errors
    /// Those of the part; there is no such part.
    pub fn part_forward(&mut self, number: usize, x: HostTensor) -> Result<HostTensor, Fault> {
        self.part(number)?.forward(x)
    }

    /// Runs the layer's part of this number backward. Parts go backward in the opposite order.
    ///
    /// # Errors
    /// Those of the part; there is no such part.
    pub fn part_backward(
        &mut self,
        number: usize,
        gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        self.part(number)?.backward(gradient)
    }

    fn part(&mut self, number: usize) -> Result<HostPass<'_>, Fault> {
        let node = self
            .node
            .children
            .get(number)
            .ok_or_else(|| Fault::new(format!("it has no part {number}")))?;
        Ok(HostPass {
            node,
            slots: self.slots,
            values: self.values,
            gradients: self.gradients,
            buffers: self.buffers,
            context: self.context,
            aside: self.aside,
            memory: self.memory,
            recording: self.recording,
            checkpoints: self.checkpoints,
            mixed: self.mixed,
            tokens: self.tokens.clone(),
        })
    }

    /// Puts a tensor aside for the way back.
    pub fn save(&mut self, tensor: HostTensor) {
        if self.recording {
            self.aside.saved.push(Saved::Tensor(tensor));
        } else {
            self.free(tensor);
        }
    }

    /// Takes up the tensor that was put aside last.
    ///
    /// # Errors
    /// There is none: there was no way forward.
    pub fn saved(&mut self) -> Result<HostTensor, Fault> {
        match self.aside.saved.pop() {
            Some(Saved::Tensor(tensor)) => Ok(tensor),
            _ => Err(Fault::new("its backward takes up what its forward did not put aside")),
        }
    }

    /// Puts anything aside for the way back.
    pub fn save_other(&mut self, other: impl Any) {
        if self.recording {
            self.aside.saved.push(Saved::Other(Box::new(other)));
        }
    }

    /// Takes up what was put aside last, which was no tensor.
    ///
    /// # Errors
    /// There is none of this type.
    pub fn saved_other<T: Any>(&mut self) -> Result<T, Fault> {
        let nothing = || Fault::new("its backward takes up what its forward did not put aside");
        match self.aside.saved.pop() {
            Some(Saved::Other(other)) => {
                other.downcast::<T>().map(|other| *other).map_err(|_| nothing())
            }
            _ => Err(nothing()),
        }
    }

    /// How much is put aside at the moment; for [`rewind`](Self::rewind).
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.aside.saved.len())
    }

    /// Drops what was put aside since then. A branch need not take up all that it put aside: a
    /// sequence stops where nothing in front is trained. The next branch must find its own on top.
    pub(crate) fn rewind(&mut self, Mark(len): Mark) {
        for saved in self.aside.saved.drain(len.min(self.aside.saved.len())..) {
            if let Saved::Tensor(tensor) = saved {
                self.memory.give(tensor);
            }
        }
    }

    /// Memory for so many numbers, all 0.
    pub fn zeros(&mut self, len: usize) -> Vec<f32> {
        let mut memory = self.memory(len);
        memory.fill(0.0);
        memory
    }

    /// Memory for so many numbers, of any value: for what is written whole before it is read.
    pub fn memory(&mut self, len: usize) -> Vec<f32> {
        self.memory.take(len)
    }

    /// Gives memory back for the next time.
    pub fn free(&mut self, tensor: HostTensor) {
        self.memory.give(tensor);
    }

    /// Gives memory back for the next time.
    pub fn free_memory(&mut self, memory: Vec<f32>) {
        self.memory.give_memory(memory);
    }
}
