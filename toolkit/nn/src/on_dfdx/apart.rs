//! Two uses of one tensor as two tensors.

use dfdx::optim::UnusedTensors;
use dfdx::tensor_ops::TryMul;

use super::{Backend, Flow, Real};
use crate::layer::Fault;

/// `b`, under another name than `a`. dfdx panics on the way back from an operation on a tensor and
/// itself, and where branches meet one may have given what it got.
pub(crate) fn apart<E: Real, D: Backend<E>>(
    a: &Flow<E, D>,
    b: Flow<E, D>,
) -> Result<Flow<E, D>, Fault> {
    let mut names = UnusedTensors::default();
    names.add(&a.untaped());
    names.add(&b.untaped());
    if names.ids.first() != names.ids.last() {
        return Ok(b);
    }
    b.map(|b| Ok(b.try_mul(E::of(1.0))?))
}
