//! Networks on dfdx's tensors: right on every device and in every precision.
//!
//! A [`Flow`] is what goes from layer to layer: a dfdx tensor on the tape that leads back to the
//! parameters, with a shape that is known at run time. It is flat and contiguous, and dfdx changes
//! the shape of such a tensor for nothing; so a layer takes it in the rank that it wants and gives
//! back what it has.

mod apart;
mod backend;
mod flow;
mod pass;
mod table;

pub use backend::{Backend, Real};
pub use flow::{Flow, Taped};
pub use pass::Pass;

pub(crate) use apart::apart;
pub(crate) use backend::Buffer;
pub(crate) use pass::Tensors;
pub(crate) use table::{extended, look_up};
