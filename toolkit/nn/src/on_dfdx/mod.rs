//! Networks on dfdx's tensors: right on every device and in every precision.
//!
//! A [`Flow`] is what goes from layer to layer: a dfdx tensor on the tape that leads back to the
//! parameters, with a shape that is known at run time. It is flat and contiguous, and dfdx changes
//! the shape of such a tensor for nothing; so a layer takes it in the rank that it wants and gives
//! back what it has.

mod apart;
mod arithmetic;
mod backend;
#[cfg(feature = "cuda")]
mod cuda;
mod flow;
#[cfg(any(feature = "cuda", all(test, feature = "trial", target_os = "linux")))]
mod kernels;
#[cfg(any(feature = "trial", feature = "cuda"))]
mod mixed;
mod mixing;
mod pass;
mod table;

pub use backend::{Backend, Real};
pub use flow::{Flow, Taped};
pub use pass::Pass;

pub(crate) use apart::apart;
pub(crate) use arithmetic::Arithmetic;
pub(crate) use backend::Buffer;
#[cfg(any(feature = "trial", feature = "cuda"))]
pub(crate) use backend::Half;
#[cfg(feature = "cuda")]
pub(crate) use cuda::prepare;
pub(crate) use mixing::{MixedBatch, MixedOutcome, Mixing};
pub(crate) use pass::Tensors;
pub(crate) use table::{extended, look_up, look_up_rows};
