//! Parts one behind the other, with or without keeping what they put aside.
//!
//! A network of n layers keeps n outputs for its way back. With checkpoints it keeps √n of them, and
//! computes those between two anew on the way back (Chen et al. 2016, arXiv:1604.06174): a second
//! forward pass for the memory of its square root. Every draw is keyed by layer, sample and update,
//! so that the second pass has the bits of the first.

use std::mem::replace;
use std::ops::Range;

use super::{HostLayer, HostPass, HostTensor};
use crate::layer::Fault;
use crate::plan::Node;

/// A layer that is nothing but its parts, one behind the other.
pub(crate) struct Chain;

impl HostLayer for Chain {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        pass.chain_forward(x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        pass.chain_backward(gradient)
    }

    fn is_chain(&self) -> bool {
        true
    }
}

/// Neighbours in a chain.
struct Segment {
    parts: Range<usize>,
    /// Whether only its input is kept.
    recomputed: bool,
}

/// How many layers are between two checkpoints: √n of the n layers of the longest chain.
pub(crate) fn stride(root: &Node) -> usize {
    fn longest(node: &Node) -> usize {
        node.children.iter().map(longest).fold(links(node), usize::max)
    }
    let longest = longest(root);
    (1..).find(|stride| stride * stride >= longest).unwrap_or(1)
}

/// How many layers stand one behind the other here, in chains of the chain too.
fn links(node: &Node) -> usize {
    if is_chain(node) { node.children.iter().map(links).sum() } else { 1 }
}

fn is_chain(node: &Node) -> bool {
    node.layer.layer().host().is_some_and(HostLayer::is_chain)
}

impl HostPass<'_> {
    /// Runs all of the layer's parts forward.
    fn chain_forward(&mut self, mut x: HostTensor) -> Result<HostTensor, Fault> {
        for segment in self.segments() {
            if !segment.recomputed {
                for part in segment.parts {
                    x = self.part_forward(part, x)?;
                }
                continue;
            }
            let checkpoint = x.copied(self.memory);
            self.save(checkpoint);
            let recording = replace(&mut self.recording, false);
            let stride = self.checkpoints.take();
            for part in segment.parts {
                x = self.part_forward(part, x)?;
            }
            (self.recording, self.checkpoints) = (recording, stride);
        }
        Ok(x)
    }

    /// Runs all of the layer's parts backward, the last first.
    fn chain_backward(&mut self, mut gradient: HostTensor) -> Result<HostTensor, Fault> {
        for Segment { parts, recomputed } in self.segments().into_iter().rev() {
            if gradient.is_none() {
                // Nothing in front of here is trained. What the rest has put aside goes with the
                // step.
                break;
            }
            let stride = if recomputed { self.checkpoints.take() } else { self.checkpoints };
            if recomputed {
                let mut x = self.saved()?;
                for part in parts.clone() {
                    x = self.part_forward(part, x)?;
                }
                self.free(x);
            }
            for part in parts.rev() {
                if gradient.is_none() {
                    break;
                }
                gradient = self.part_backward(part, gradient)?;
            }
            self.checkpoints = stride;
        }
        Ok(gradient)
    }

    /// All parts, in order. Long chains in the chain have checkpoints of their own, and the last of
    /// the network's parts are needed at once.
    fn segments(&self) -> Vec<Segment> {
        let parts = self.node.children.len();
        let Some(stride) = self.checkpoints.filter(|_| self.recording) else {
            return vec![Segment { parts: 0..parts, recomputed: false }];
        };
        let mut segments: Vec<Segment> = Vec::new();
        let mut long = 0;
        for (number, part) in self.node.children.iter().enumerate() {
            let links = links(part);
            let recomputed = !is_chain(part) || links <= stride;
            match segments.last_mut() {
                Some(last) if recomputed && last.recomputed && long + links <= stride => {
                    last.parts.end = number + 1;
                    long += links;
                }
                _ => {
                    segments.push(Segment { parts: number..number + 1, recomputed });
                    long = links;
                }
            }
        }
        if let Some(last) = segments.last_mut().filter(|_| self.node.path.is_empty()) {
            last.recomputed = false;
        }
        segments
    }
}
