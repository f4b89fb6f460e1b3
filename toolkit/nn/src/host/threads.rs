//! How work is divided among threads: by its size alone, so that the number of threads changes no
//! bit.

use rayon::prelude::*;
use trainbook_core::simd::wide;

/// Elements below which dividing costs more than it saves.
pub(super) const WORTH: usize = 1 << 15;

/// Elements of one share of element-wise work.
pub(super) const SHARE: usize = 1 << 14;

/// Applies `f` to pieces of `len` elements, several at a time; `f` gets a piece's number. Behind a
/// pointer, so that what divides work among threads is compiled once and not for every `f`.
pub(super) fn divided(values: &mut [f32], len: usize, f: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    values.par_chunks_mut(len).enumerate().for_each(|(number, piece)| f(number, piece));
}

/// Applies `f` to `values` in shares; `f` gets the index of a share's first element.
pub fn each_share(values: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
    let f = |at, share: &mut [f32]| {
        wide(
            #[inline(always)]
            || f(at, share),
        )
    };
    if values.len() < WORTH {
        f(0, values);
    } else {
        divided(values, SHARE, &|i, share| f(i * SHARE, share));
    }
}

/// Applies `f` to blocks of `len` elements in order, several at a time where `cost` (operations for
/// one block) makes it worth it. Where `f` is `#[inline(always)]` it is compiled for AVX2 too.
pub fn each_block(
    values: &mut [f32],
    len: usize,
    cost: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) {
    let len = len.max(1);
    let f = |first: usize, blocks: &mut [f32]| {
        wide(
            #[inline(always)]
            || {
                for (i, block) in blocks.chunks_mut(len).enumerate() {
                    f(first + i, block);
                }
            },
        )
    };
    if (values.len() / len).saturating_mul(cost) < WORTH {
        f(0, values);
    } else {
        // So many blocks at a time that a share is worth its thread.
        let share = (SHARE / cost.max(1)).max(1);
        divided(values, share * len, &|i, blocks| f(i * share, blocks));
    }
}
