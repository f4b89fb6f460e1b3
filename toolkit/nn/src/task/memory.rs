//! What a step of training holds in memory.

use serde::Serialize;

use crate::plan::Node;

/// What training holds in memory, in bytes, at the most in the steps until now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepMemory {
    /// Weights and running statistics.
    pub weights: usize,
    /// Their gradients.
    pub gradients: usize,
    /// The optimiser's moments.
    pub moments: usize,
    /// Under mixed precision, the copy of the weights that is computed with, the gradients of the
    /// scaled loss, and running statistics as they were; on the processor as f32.
    pub copies: usize,
    /// What layers keep for the way back, and what they need on their way: numbers, and not the
    /// places of maxima, which a maximum pool keeps beside them.
    pub activations: usize,
    /// Layers that compute in dfdx's operations, by their places: what these hold is not counted.
    pub uncounted: Vec<String>,
}

impl StepMemory {
    /// Everything.
    pub fn total(&self) -> usize {
        self.weights + self.gradients + self.moments + self.copies + self.activations
    }
}

/// The places of layers that have no form on the processor's memory.
pub(super) fn uncounted(node: &Node, into: &mut Vec<String>) {
    if node.layer.layer().host().is_none() {
        into.push(crate::misfit::place(node.layer.kind(), &node.path));
        return;
    }
    node.children.iter().for_each(|child| uncounted(child, into));
}
