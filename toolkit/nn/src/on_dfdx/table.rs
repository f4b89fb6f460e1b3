//! Elements looked up by a table that is the same for every row.

use dfdx::prelude::*;

use super::{Backend, Real, Taped};
use crate::layer::Fault;

/// The rows of a matrix with one more element behind each.
pub(crate) fn extended<E: Real, D: Backend<E>>(
    x: Taped<(usize, usize), E, D>,
    value: E,
) -> Result<Taped<(usize, usize), E, D>, Fault> {
    let (rows, _) = *x.shape();
    let more = x.device().try_tensor_from_vec(vec![value; rows], (rows, 1))?;
    (x, more)
        .try_concat_along(Axis::<1>)
        .map_err(|e| Fault::new(format!("rows cannot be extended: {e:?}")))
}

/// From each row of a matrix the elements that the table names.
pub(crate) fn look_up<E: Real, D: Backend<E>>(
    x: Taped<(usize, usize), E, D>,
    table: &[usize],
) -> Result<Taped<(usize, usize), E, D>, Fault> {
    let (rows, _) = *x.shape();
    let device: D = x.device().clone();
    let index: Tensor<(usize,), usize, D> =
        device.try_tensor_from_vec(table.to_vec(), (table.len(),))?;
    // One table in memory for all rows.
    let index = index.try_broadcast_like::<_, Axis<0>>(&(rows, table.len()))?;
    Ok(x.try_gather(index)?)
}
