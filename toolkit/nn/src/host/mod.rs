//! Networks on the processor's contiguous memory: layers with a forward and a backward of their
//! own.
//!
//! There is no tape of operations: a network is a tree, and so is its derivative. Going forward
//! each layer puts aside what it will need, going backward it takes that up again, in the opposite
//! order. A layer without a form of its own computes with dfdx on the way ([`HostPass`] sees to
//! that), so any two layers can stand beside each other.
//!
//! Everything here gives the same bits on any number of threads: work is divided by its size alone,
//! and sums have a fixed order.

pub(crate) mod attention;
mod chain;
mod convolution;
pub(crate) mod exp;
mod gemm;
pub(crate) mod half;
mod pass;
pub(crate) mod rows;
mod tensor;
pub(crate) mod threads;
mod through_dfdx;

pub(crate) use chain::{Chain, stride};
pub(crate) use convolution::{Convolution, bias_gradient, sum};
pub use gemm::{Matrix, gemm};
pub use pass::HostPass;
pub(crate) use pass::{Aside, Mark, Memory};
pub use tensor::HostTensor;

use crate::misfit::Fault;

/// A layer's own form on the processor.
pub trait HostLayer {
    /// Computes the output, and puts aside what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    /// The input is not what the layer was fitted to.
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault>;

    /// Given the loss's gradient in the output, adds its gradients in the layer's parameters to
    /// those that are there and returns that in the input; where [`HostPass::wants_input_gradient`]
    /// says no, it may return [`HostTensor::none`].
    ///
    /// # Errors
    /// There was no forward before it.
    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault>;

    /// Whether it is nothing but its parts, one behind the other, which then need not keep what they
    /// put aside. A layer of one's own is not.
    #[doc(hidden)]
    fn is_chain(&self) -> bool {
        false
    }
}
