//! Elements looked up by a table.

use dfdx::prelude::*;

use super::{Backend, Real, Taped};
use crate::layer::Fault;

/// The rows of a matrix with one more element behind each, for tables to name.
pub(crate) fn extended<E: Real, D: Backend<E>, T: Tape<E, D>>(
    x: &Tensor<(usize, usize), E, D, T>,
    value: E,
) -> Result<Tensor<(usize, usize), E, D>, Fault> {
    let (rows, _) = *x.shape();
    let more = x.device().try_tensor_from_vec(vec![value; rows], (rows, 1))?;
    (x.retaped::<NoneTape>(), more)
        .try_concat_along(Axis::<1>)
        .map_err(|e| Fault::new(format!("rows cannot be extended: {e:?}")))
}

/// From each row of a matrix the elements that the table names, which is the same for every row.
/// `extended` is the matrix itself, or with one more element a row.
pub(crate) fn look_up<E: Real, D: Backend<E>>(
    x: Taped<(usize, usize), E, D>,
    extended: &Tensor<(usize, usize), E, D>,
    table: &[usize],
) -> Result<Taped<(usize, usize), E, D>, Fault> {
    let (rows, columns) = *x.shape();
    let device: D = x.device().clone();
    let (x, tape) = x.split_tape();
    let index: Tensor<(usize,), usize, D> =
        device.try_tensor_from_vec(table.to_vec(), (table.len(),))?;
    // One table in memory for all rows.
    let index = index.try_broadcast_like::<_, Axis<0>>(&(rows, table.len()))?;
    let y = extended.clone().try_gather(index)?;
    let table = table.to_vec();
    let takers = move || Takers::of(columns, table.len(), table.iter().copied().enumerate());
    Ok(taped(x, y, tape, 1, takers))
}

/// The rows of a matrix of these indices. No gradient goes back from where there is none.
pub(crate) fn look_up_rows<E: Real, D: Backend<E>>(
    x: Taped<(usize, usize), E, D>,
    indices: &[Option<usize>],
    elsewhere: usize,
) -> Result<Taped<(usize, usize), E, D>, Fault> {
    let (rows, columns) = *x.shape();
    let device: D = x.device().clone();
    let (x, tape) = x.split_tape();
    let all = indices.iter().map(|index| index.unwrap_or(elsewhere)).collect();
    let y = x.clone().try_gather(device.try_tensor_from_vec(all, (indices.len(),))?)?;
    let indices = indices.to_vec();
    let takers = move || {
        let named = indices.iter().enumerate();
        let named = named.filter_map(|(place, index)| Some((place, (*index)?)));
        Takers::of(rows, indices.len(), named)
    };
    Ok(taped(x, y, tape, columns, takers))
}

/// What was looked up, on the tape. dfdx's own way back adds on an accelerator in the order in which
/// its threads come by, so that equal seeds give other bits.
fn taped<E: Real, D: Backend<E>>(
    x: Tensor<(usize, usize), E, D>,
    y: Tensor<(usize, usize), E, D>,
    mut tape: OwnedTape<E, D>,
    inner: usize,
    takers: impl FnOnce() -> Takers + 'static,
) -> Taped<(usize, usize), E, D> {
    let (source, taken, device) = (x.ghost(), y.ghost(), x.device().clone());
    tape.add_backward_op(move |gradients| {
        // Two gradients are lent at once by taking one away for a while: it may be a large one to copy.
        let mut dy = Storage::<E>::try_alloc_len(&device, 1)?;
        std::mem::swap(&mut dy, gradients.get_or_alloc_mut(&taken)?);
        D::give_back(gradients.get_or_alloc_mut(&source)?, &dy, inner, takers())?;
        std::mem::swap(&mut dy, gradients.get_or_alloc_mut(&taken)?);
        Ok(())
    });
    y.put_tape(tape)
}

/// For each element of a source the places that it was taken for, in order.
#[derive(Clone, Debug)]
pub(crate) struct Takers {
    /// Where each element's places begin and those of the last end.
    pub(super) starts: Vec<usize>,
    pub(super) places: Vec<usize>,
    /// How many places there are, whoever fills them.
    pub(super) taken: usize,
}

impl Takers {
    /// Of `(place, element)`, by place; elements behind the source's last have nobody to go back to.
    pub(super) fn of(
        source: usize,
        taken: usize,
        named: impl Iterator<Item = (usize, usize)> + Clone,
    ) -> Self {
        let named = named.filter(|(_, element)| *element < source);
        let mut starts = vec![0; source + 1];
        named.clone().for_each(|(_, element)| starts[element + 1] += 1);
        for element in 0..source {
            starts[element + 1] += starts[element];
        }
        let (mut next, mut places) = (starts.clone(), vec![0; starts[source]]);
        for (place, element) in named {
            places[next[element]] = place;
            next[element] += 1;
        }
        Self { starts, places, taken }
    }

    /// How many elements the source has.
    pub(super) fn source(&self) -> usize {
        self.starts.len() - 1
    }

    /// [`Backend::give_back`] in the processor's memory.
    pub(super) fn give_back<E: Real>(&self, dx: &mut [E], dy: &[E], inner: usize) {
        if self.places.is_empty() || inner == 0 {
            return;
        }
        let blocks = dx.chunks_mut(self.source() * inner).zip(dy.chunks(self.taken * inner));
        for (dx, dy) in blocks {
            for (dx, ends) in dx.chunks_mut(inner).zip(self.starts.windows(2)) {
                let places = &self.places[ends[0]..ends[1]];
                for (i, dx) in dx.iter_mut().enumerate() {
                    let sum: f64 = places.iter().map(|place| dy[place * inner + i].wide()).sum();
                    *dx = E::of(dx.wide() + sum);
                }
            }
        }
    }
}
