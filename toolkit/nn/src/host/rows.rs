//! Sums over rows, columns of rows, and work on the rows of two memories at once.

use std::ops::Range;

use rayon::prelude::*;
use trainbook_core::simd::wide;

use super::threads::{WORTH, divided, each_block};

/// How many sums run beside each other: enough that none waits for the addition before it. They
/// are the same on every processor, so that the bits are, too.
const LANES: usize = 16;

/// `Σ f(a[i], b[i], c[i])`, K such sums at once, in [`LANES`] lanes that are added at the end.
#[inline(always)]
pub(crate) fn sums<const K: usize>(
    [a, b, c]: [&[f32]; 3],
    f: impl Fn(f32, f32, f32) -> [f32; K],
) -> [f32; K] {
    let mut lanes = [[0.0_f32; LANES]; K];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    let (whole_c, rest_c) = c.as_chunks::<LANES>();
    for ((a, b), c) in whole_a.iter().zip(whole_b).zip(whole_c) {
        for i in 0..LANES {
            let values = f(a[i], b[i], c[i]);
            for k in 0..K {
                lanes[k][i] += values[k];
            }
        }
    }
    for (i, ((a, b), c)) in rest_a.iter().zip(rest_b).zip(rest_c).enumerate() {
        let values = f(*a, *b, *c);
        for k in 0..K {
            lanes[k][i] += values[k];
        }
    }
    lanes.map(|lanes| {
        let mut half = LANES / 2;
        let mut lanes = lanes;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    })
}

/// `Σ f(a[i])`.
#[inline(always)]
pub(crate) fn sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    sums([a, a, a], |a, _, _| [f(a)])[0]
}

/// The largest number; NaN is passed over, and of none it is −∞.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for values in whole {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], values[i]);
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// The mean of a row and its (biased) variance, in two passes: the row lies in the cache, and the
/// difference of two large numbers would cost digits.
#[inline(always)]
pub(crate) fn moments(row: &[f32]) -> (f32, f32) {
    let n = row.len().max(1) as f32;
    let mean = sum(row, |x| x) / n;
    (mean, sum(row, |x| (x - mean) * (x - mean)) / n)
}

/// Columns of one share of [`add_all`].
const COLUMNS: usize = 64;

/// Adds all rows to `into`, in their order.
pub(crate) fn add_all(rows: &[f32], into: &mut [f32]) {
    let width = into.len().max(1);
    let add = |first: usize, into: &mut [f32]| {
        wide(
            #[inline(always)]
            || {
                for row in rows.chunks_exact(width) {
                    let row = &row[first..first + into.len()];
                    into.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
                }
            },
        );
    };
    if rows.len() < WORTH || width < 2 * COLUMNS {
        add(0, into);
    } else {
        divided(into, COLUMNS, &|i, into| add(i * COLUMNS, into));
    }
}

/// Copies the columns `kept` of rows of `width` numbers.
pub(crate) fn cut(from: &[f32], width: usize, kept: Range<usize>, into: &mut [f32]) {
    each_block(into, kept.len(), kept.len(), |row, into| {
        into.copy_from_slice(&from[row * width..][kept.clone()]);
    });
}

/// Copies rows into the columns `at` of rows of `width` numbers.
pub(crate) fn put(from: &[f32], into: &mut [f32], width: usize, at: Range<usize>) {
    each_block(into, width, at.len(), |row, into| {
        into[at.clone()].copy_from_slice(&from[row * at.len()..][..at.len()]);
    });
}

/// Applies `f` to shares of two memories, `a_share` elements of the one and `b_share` of the other
/// at a time; `f` gets the share's number.
pub(crate) fn each_pair(
    a: &mut [f32],
    a_share: usize,
    b: &mut [f32],
    b_share: usize,
    f: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    let (a_share, b_share) = (a_share.max(1), b_share.max(1));
    let f = |i: usize, a: &mut [f32], b: &mut [f32]| {
        wide(
            #[inline(always)]
            || f(i, a, b),
        )
    };
    if a.len() < WORTH {
        let pairs = a.chunks_mut(a_share).zip(b.chunks_mut(b_share));
        pairs.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    } else {
        divided_pair(a, a_share, b, b_share, &f);
    }
}

/// What is done to a piece of each of two memories, given their number.
type OfPair<'a> = dyn Fn(usize, &mut [f32], &mut [f32]) + Sync + 'a;

/// Behind a pointer, so that what divides work among threads is compiled once and not for every `f`.
fn divided_pair(a: &mut [f32], a_share: usize, b: &mut [f32], b_share: usize, f: &OfPair<'_>) {
    let pairs = a.par_chunks_mut(a_share).zip(b.par_chunks_mut(b_share));
    pairs.enumerate().for_each(|(i, (a, b))| f(i, a, b));
}

/// How many rows of so many elements make a share.
pub(crate) fn rows_of_share(len: usize) -> usize {
    (super::threads::SHARE / len.max(1)).max(1)
}
