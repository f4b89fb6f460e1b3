//! The shapes of what is put together, cut, and given or relieved of dimensions.

use super::Operand;
use crate::value::{BATCH, Dim};

/// An axis that may be counted from the end.
pub(in super::super) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add_unsigned(rank as u64)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// Different axes.
fn axes(list: &[i64], rank: usize) -> Option<Vec<usize>> {
    let axes: Vec<usize> = list.iter().map(|&at| axis(at, rank)).collect::<Option<_>>()?;
    let unique = (1..axes.len()).all(|i| !axes[..i].contains(&axes[i]));
    unique.then_some(axes)
}

/// A constant row of integers; a row that flows is refused.
fn constant<'a>(operand: &Operand<'a>) -> Option<&'a [i64]> {
    let len = match operand.shape {
        [Dim::Fixed(len)] => *len,
        _ => return None,
    };
    (len > 0 && operand.integers.len() == len).then_some(operand.integers)
}

fn is_batch(dim: &Dim) -> bool {
    *dim == BATCH.into()
}

pub(super) fn concat(x: &[Dim], others: &[Operand], at: i64) -> Option<Vec<Dim>> {
    let at = axis(at, x.len())?;
    let mut shape = x.to_vec();
    for other in others {
        let sum = shape[at].size()?.checked_add(other.shape.get(at)?.size()?)?;
        shape[at] = sum.into();
        let differs = |i| i != at && shape.get(i) != other.shape.get(i);
        if other.shape.len() != shape.len() || (0..shape.len()).any(differs) {
            return None;
        }
    }
    (!is_batch(&shape[at])).then_some(shape)
}

/// One part for each output.
pub(super) fn split(x: &[Dim], others: &[Operand], at: i64, count: usize) -> Option<Vec<Vec<Dim>>> {
    let at = axis(at, x.len())?;
    let size = x[at].size()?;
    let parts: Vec<usize> = match others {
        [] => {
            let part = size.checked_div(count).filter(|part| part * count == size)?;
            vec![part; count]
        }
        [parts] => {
            let parts = constant(parts)?.iter();
            parts.map(|&part| usize::try_from(part).ok()).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let sum = parts.iter().try_fold(0_usize, |sum, &part| sum.checked_add(part));
    if sum != Some(size) || parts.len() != count || parts.contains(&0) {
        return None;
    }
    let shape = |&part: &usize| {
        let mut shape = x.to_vec();
        shape[at] = part.into();
        shape
    };
    Some(parts.iter().map(shape).collect())
}

/// The first index of a slice along an axis of this size, and how many there are. An index below 0
/// counts from the end, and one that is too far stands for the end.
pub(in super::super) fn sliced(
    [start, end, step]: [i64; 3],
    size: usize,
) -> Option<(usize, usize)> {
    let size = i64::try_from(size).ok().filter(|&size| size > 0)?;
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = (from_end(start), from_end(end));
    let (start, way) = if step > 0 {
        let start = start.clamp(0, size);
        (start, end.clamp(0, size) - start)
    } else {
        let start = start.clamp(0, size - 1);
        (start, start - end.clamp(-1, size - 1))
    };
    let step = step.checked_abs().filter(|&step| step > 0)?;
    let count = way.max(0).checked_add(step - 1)? / step;
    Some((usize::try_from(start).ok()?, usize::try_from(count).ok()?))
}

/// `others` are starts, ends, and axes and steps if they are not the first ones and 1.
pub(super) fn slice(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let rows: Vec<&[i64]> = others.iter().map(constant).collect::<Option<_>>()?;
    let [starts, ends, more @ ..] = rows.as_slice() else { return None };
    let same_lens = rows.iter().all(|row| row.len() == starts.len());
    if !same_lens || more.len() > 2 || starts.len() > x.len() {
        return None;
    }
    let along = match more.first() {
        Some(along) => axes(along, x.len())?,
        None => (0..starts.len()).collect(),
    };
    let mut shape = x.to_vec();
    for (i, at) in along.into_iter().enumerate() {
        let cut = [starts[i], ends[i], more.get(1).map_or(1, |steps| steps[i])];
        let count = |size| sliced(cut, size).map(|(_, count)| count).filter(|&count| count > 0);
        shape[at] = match &shape[at] {
            dim if is_batch(dim) => return None,
            Dim::Fixed(size) => count(*size)?.into(),
            // Of a length that is not known, one end or the whole can be had.
            named => {
                let lengths = || (1..=16).chain([1 << 20]);
                if lengths().all(|size| count(size) == Some(size)) {
                    named.clone()
                } else if lengths().all(|size| count(size) == Some(1)) {
                    1.into()
                } else {
                    return None;
                }
            }
        };
    }
    Some(shape)
}

/// `others` are how much, all beginnings and then all ends, and with what.
pub(super) fn pad(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let pads = match others {
        [pads] => pads,
        [pads, value] if value.floats.len() == 1 && value.shape.is_empty() => pads,
        _ => return None,
    };
    let pads: Vec<usize> =
        constant(pads)?.iter().map(|&pad| usize::try_from(pad).ok()).collect::<Option<_>>()?;
    if pads.len() != 2 * x.len() {
        return None;
    }
    let padded = |(i, dim): (usize, &Dim)| match pads[i].checked_add(pads[i + x.len()])? {
        0 => Some(dim.clone()),
        more => dim.size()?.checked_add(more).map(Dim::Fixed),
    };
    x.iter().enumerate().map(padded).collect()
}

pub(super) fn expand(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let [shape] = others else { return None };
    let sizes: Vec<Dim> = constant(shape)?
        .iter()
        .map(|&size| usize::try_from(size).ok().filter(|&size| size > 0).map(Dim::Fixed))
        .collect::<Option<_>>()?;
    broadcast(x, &sizes)
}

pub(super) fn squeeze(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let [list] = others else { return None };
    let gone = axes(constant(list)?, x.len())?;
    let ones = gone.iter().all(|&at| x[at] == Dim::Fixed(1));
    let left = x.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, dim)| dim.clone());
    ones.then(|| left.collect())
}

pub(super) fn unsqueeze(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let [list] = others else { return None };
    let list = constant(list)?;
    let rank = x.len() + list.len();
    let new = axes(list, rank)?;
    let mut old = x.iter().cloned();
    (0..rank).map(|i| if new.contains(&i) { Some(1.into()) } else { old.next() }).collect()
}

/// The axes of a constant row, in order.
pub(super) fn reduced(x: &[Dim], others: &[Operand]) -> Option<Vec<usize>> {
    let [list] = others else { return None };
    let mut axes = axes(constant(list)?, x.len())?;
    axes.sort_unstable();
    Some(axes)
}

/// Sizes of 1 and missing dimensions are repeated, on both sides.
pub(super) fn broadcast(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let missing = long.len() - short.len();
    let dim = |(i, dim): (usize, &Dim)| match i.checked_sub(missing).map(|i| &short[i]) {
        None | Some(Dim::Fixed(1)) => Some(dim.clone()),
        Some(other) => (dim == other || *dim == Dim::Fixed(1)).then(|| other.clone()),
    };
    long.iter().enumerate().map(dim).collect()
}
