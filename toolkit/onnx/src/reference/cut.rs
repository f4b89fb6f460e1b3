//! Numbers put together, cut apart and padded; dimensions of 1 that come and go.

use super::margined::{Margined, Number};
use crate::operator::{axis, sliced};

#[allow(clippy::cast_possible_truncation, reason = "they are int64 in the file")]
fn integers(row: &Margined) -> Vec<i64> {
    row.values.iter().map(|&number| number as i64).collect()
}

/// An axis of a tensor with so many.
fn one(at: i64, rank: usize) -> Result<usize, String> {
    axis(at, rank).ok_or_else(|| format!("{rank} dimensions have no axis {at}"))
}

/// The axes of a constant row.
///
/// # Errors
/// The reason, if there is no such axis.
pub(super) fn axes(row: &Margined, rank: usize) -> Result<Vec<usize>, String> {
    integers(row).into_iter().map(|at| one(at, rank)).collect()
}

/// How many blocks stand before an axis, and how long one entry of it is.
fn around(shape: &[usize], at: usize) -> (usize, usize) {
    (shape[..at].iter().product(), shape[at + 1..].iter().product())
}

/// These entries of an axis, in this order; `None` is `filling`.
fn entries(
    x: &Margined,
    at: usize,
    picked: impl Iterator<Item = Option<usize>> + Clone,
    filling: Number,
) -> Margined {
    let (outer, inner) = around(&x.shape, at);
    let size = x.shape[at];
    let mut numbers = Vec::new();
    for block in 0..outer {
        for entry in picked.clone() {
            match entry {
                Some(entry) => {
                    let start = (block * size + entry) * inner;
                    numbers.extend((start..start + inner).map(|from| x.number(from)));
                }
                None => numbers.extend(std::iter::repeat_n(filling, inner)),
            }
        }
    }
    let mut shape = x.shape.clone();
    shape[at] = picked.count();
    Margined::new(shape, numbers.into_iter())
}

/// # Errors
/// The reason, if there is no such axis.
pub(super) fn concat(x: &Margined, others: &[&Margined], at: i64) -> Result<Margined, String> {
    let at = one(at, x.shape.len())?;
    let parts = || std::iter::once(x).chain(others.iter().copied());
    let (outer, _) = around(&x.shape, at);
    let mut numbers = Vec::new();
    for block in 0..outer {
        for part in parts() {
            let len = part.values.len() / outer;
            numbers.extend((block * len..(block + 1) * len).map(|from| part.number(from)));
        }
    }
    let mut shape = x.shape.clone();
    shape[at] = parts().map(|part| part.shape[at]).sum();
    Ok(Margined::new(shape, numbers.into_iter()))
}

/// Into `count` equal parts, or such ones.
///
/// # Errors
/// The reason, if there is no such axis or it is shorter.
pub(super) fn split(
    x: &Margined,
    parts: Option<&Margined>,
    at: i64,
    count: usize,
) -> Result<Vec<Margined>, String> {
    let at = one(at, x.shape.len())?;
    let parts = match parts {
        Some(parts) => parts.values.iter().map(|&part| super::arrange::index(part)).collect(),
        None => vec![x.shape[at] / count.max(1); count],
    };
    if parts.iter().sum::<usize>() > x.shape[at] {
        return Err(format!(
            "the parts of an axis of {} add up to {}",
            x.shape[at],
            parts.iter().sum::<usize>()
        ));
    }
    let mut start = 0;
    let part = |part| {
        start += part;
        entries(x, at, (start - part..start).map(Some), (0.0, 0.0))
    };
    Ok(parts.into_iter().map(part).collect())
}

/// `more` are axes and steps, as far as they are given.
///
/// # Errors
/// The reason, if there is no such axis.
pub(super) fn slice(
    x: &Margined,
    starts: &Margined,
    ends: &Margined,
    more: &[&Margined],
) -> Result<Margined, String> {
    let (starts, ends) = (integers(starts), integers(ends));
    let along = match more.first() {
        Some(row) => axes(row, x.shape.len())?,
        None => (0..starts.len()).collect(),
    };
    let steps = more.get(1).map_or(vec![1; starts.len()], |steps| integers(steps));
    let mut x = x.clone();
    for (((start, end), step), at) in starts.into_iter().zip(ends).zip(steps).zip(along) {
        let (first, count) = sliced([start, end, step], x.shape[at])
            .ok_or_else(|| format!("an axis of {} cannot be cut so", x.shape[at]))?;
        let way = usize::try_from(step.unsigned_abs()).map_err(|e| e.to_string())?;
        let picked =
            (0..count).map(|i| Some(if step > 0 { first + i * way } else { first - i * way }));
        x = entries(&x, at, picked, (0.0, 0.0));
    }
    Ok(x)
}

/// All beginnings, then all ends.
pub(super) fn pad(x: &Margined, pads: &Margined, value: Number) -> Margined {
    let pads: Vec<usize> = pads.values.iter().map(|&pad| super::arrange::index(pad)).collect();
    let mut x = x.clone();
    for at in 0..x.shape.len() {
        let (before, after) = (pads[at], pads[at + x.shape.len()]);
        let size = x.shape[at];
        let picked =
            (0..before + size + after).map(|i| i.checked_sub(before).filter(|&entry| entry < size));
        x = entries(&x, at, picked, value);
    }
    x
}

/// # Errors
/// The reason, if there is no such axis.
pub(super) fn squeeze(x: &Margined, row: &Margined) -> Result<Margined, String> {
    let gone = axes(row, x.shape.len())?;
    let left = x.shape.iter().enumerate().filter(|(i, _)| !gone.contains(i));
    Ok(Margined { shape: left.map(|(_, &size)| size).collect(), ..x.clone() })
}

/// # Errors
/// The reason, if there is no such axis.
pub(super) fn unsqueeze(x: &Margined, row: &Margined) -> Result<Margined, String> {
    let rank = x.shape.len() + row.values.len();
    let new = axes(row, rank)?;
    let mut old = x.shape.iter().copied();
    let size = |i| if new.contains(&i) { Some(1) } else { old.next() };
    Ok(Margined { shape: (0..rank).filter_map(size).collect(), ..x.clone() })
}
