//! Attention over the pieces of one memory: each head of each sample by itself.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, s};
use rayon::prelude::*;
use trainbook_core::simd::wide;

use super::exp::exp;
use super::gemm::product;
use super::rows;
use crate::layer::Fault;

/// The sizes of attention, and whether a position sees only itself and those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    pub batch: usize,
    /// How many positions a sample has.
    pub length: usize,
    /// How many of the first of them are looked at by the others; with 0 all look at all.
    pub memory: usize,
    pub features: usize,
    pub heads: usize,
    pub causal: bool,
}

impl Attention {
    fn head(&self) -> usize {
        self.features / self.heads
    }

    /// The positions that look.
    pub fn queries(&self) -> Range<usize> {
        self.memory..self.length
    }

    /// The positions that are looked at.
    pub fn keys(&self) -> Range<usize> {
        0..if self.memory > 0 { self.memory } else { self.length }
    }

    /// How many numbers the softmaxes are: batch × heads × queries × keys.
    pub fn weights(&self) -> usize {
        self.batch * self.heads * self.queries().len() * self.keys().len()
    }

    /// How many keys the query number `row` sees.
    fn seen(&self, row: usize) -> usize {
        if self.causal { row + 1 } else { self.keys().len() }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }

    /// Queries, keys and values beside each other: batch × length × 3 features.
    fn qkv<'a>(&self, qkv: &'a [f32]) -> Result<ArrayView3<'a, f32>, Fault> {
        Ok(ArrayView3::from_shape((self.batch, self.length, 3 * self.features), qkv)?)
    }

    fn merged<'a>(&self, merged: &'a [f32]) -> Result<ArrayView3<'a, f32>, Fault> {
        Ok(ArrayView3::from_shape((self.batch, self.queries().len(), self.features), merged)?)
    }

    /// The positions whose queries (part 0), keys or values (parts 1 and 2) count.
    fn positions(&self, part: usize) -> Range<usize> {
        if part == 0 { self.queries() } else { self.keys() }
    }

    /// The columns of the head: of its queries, keys or values, which are number `part`.
    fn columns(&self, part: usize, head: usize) -> Range<usize> {
        let begin = part * self.features + head * self.head();
        begin..begin + self.head()
    }

    /// `merged ← softmax(q kᵀ / √head) v` (batch × queries × features), the heads beside each other;
    /// `weights` receives the softmaxes. Of the keys that are `padding` (batch × length) they are 0,
    /// and all of them where there is no other key.
    pub fn forward(
        &self,
        qkv: &[f32],
        padding: Option<&[bool]>,
        weights: &mut [f32],
        merged: &mut [f32],
    ) -> Result<(), Fault> {
        let shape = (self.queries().len(), self.keys().len());
        let qkv = self.qkv(qkv)?;
        let mut merged = ArrayViewMut3::from_shape((self.batch, shape.0, self.features), merged)?;
        // Every head of every sample writes its own columns.
        let mut into: Vec<ArrayViewMut2<'_, f32>> = Vec::with_capacity(self.batch * self.heads);
        for sample in merged.axis_iter_mut(Axis(0)) {
            let mut rest = sample;
            for _ in 1..self.heads {
                let (head, others) = rest.split_at(Axis(1), self.head());
                into.push(head);
                rest = others;
            }
            into.push(rest);
        }
        let pieces = weights.par_chunks_mut(shape.0 * shape.1).zip(into);
        pieces.enumerate().try_for_each(|(i, (weights, mut into))| {
            let (sample, head) = (i / self.heads, i % self.heads);
            let part = |part| qkv.slice(s![sample, self.positions(part), self.columns(part, head)]);
            let (q, k, v) = (part(0), part(1), part(2));
            let mut scores = ArrayViewMut2::from_shape(shape, &mut *weights)?;
            product(self.scale(), &q, &k.t(), false, &mut scores);
            for (row, scores) in weights.chunks_exact_mut(shape.1).enumerate() {
                let (seen, hidden) = scores.split_at_mut(self.seen(row));
                hidden.fill(0.0);
                let keys = padding.map(|padding| &padding[sample * self.length..][..seen.len()]);
                if keys.is_some_and(|keys| keys.iter().all(|padding| *padding)) {
                    seen.fill(0.0);
                    continue;
                }
                for (score, _) in seen.iter_mut().zip(keys.into_iter().flatten()).filter(|k| *k.1) {
                    *score = f32::NEG_INFINITY;
                }
                softmax(seen);
            }
            let weights = ndarray::ArrayView2::from_shape(shape, &*weights)?;
            product(1.0, &weights, &v, false, &mut into);
            Ok::<(), Fault>(())
        })
    }

    /// Given the gradient in `merged`, that in `qkv`, which must be 0 where there is a memory.
    pub fn backward(
        &self,
        qkv: &[f32],
        weights: &[f32],
        of_merged: &[f32],
        of_qkv: &mut [f32],
    ) -> Result<(), Fault> {
        let shape = (self.queries().len(), self.keys().len());
        let (qkv, of_merged) = (self.qkv(qkv)?, self.merged(of_merged)?);
        let mut of_qkv =
            ArrayViewMut3::from_shape((self.batch, self.length, 3 * self.features), of_qkv)?;
        // For every head of every sample the columns of its queries, its keys and its values.
        let mut into: Vec<Vec<ArrayViewMut2<'_, f32>>> = Vec::new();
        for sample in of_qkv.axis_iter_mut(Axis(0)) {
            let begin = into.len();
            into.resize_with(begin + self.heads, || Vec::with_capacity(3));
            let mut rest = sample;
            for i in 0..3 * self.heads {
                let (mut piece, others) = rest.split_at(Axis(1), self.head());
                piece.slice_collapse(s![self.positions(i / self.heads), ..]);
                into[begin + i % self.heads].push(piece);
                rest = others;
            }
        }
        let pieces: Vec<_> = weights.chunks(shape.0 * shape.1).zip(into).enumerate().collect();
        pieces.into_par_iter().try_for_each_init(
            || vec![0.0_f32; shape.0 * shape.1],
            |of_scores, (i, (weights, into))| {
                let (sample, head) = (i / self.heads, i % self.heads);
                let part =
                    |part| qkv.slice(s![sample, self.positions(part), self.columns(part, head)]);
                let (q, k, v) = (part(0), part(1), part(2));
                let Ok([mut of_q, mut of_k, mut of_v]) = <[_; 3]>::try_from(into) else {
                    return Err(Fault::new("queries, keys and values are three"));
                };
                let of_merged = of_merged.slice(s![sample, .., self.columns(0, head)]);
                let p = ndarray::ArrayView2::from_shape(shape, weights)?;
                product(1.0, &p.t(), &of_merged, false, &mut of_v);
                let mut scores = ArrayViewMut2::from_shape(shape, &mut of_scores[..])?;
                product(1.0, &of_merged, &v.t(), false, &mut scores);
                let scale = self.scale();
                let rows = of_scores.chunks_exact_mut(shape.1).zip(weights.chunks_exact(shape.1));
                for (row, (of_scores, weights)) in rows.enumerate() {
                    let (seen, hidden) = of_scores.split_at_mut(self.seen(row));
                    softmax_backward(seen, &weights[..seen.len()], scale);
                    hidden.fill(0.0);
                }
                let scores = ndarray::ArrayView2::from_shape(shape, &of_scores[..])?;
                product(1.0, &scores, &k, false, &mut of_q);
                product(1.0, &scores.t(), &q, false, &mut of_k);
                Ok(())
            },
        )
    }
}

/// The softmax of a row, in its place.
fn softmax(row: &mut [f32]) {
    wide(
        #[inline(always)]
        || {
            let max = rows::max(row);
            row.iter_mut().for_each(|x| *x = exp(*x - max));
            let scale = 1.0 / rows::sum(row, |x| x);
            row.iter_mut().for_each(|x| *x *= scale);
        },
    );
}

/// From the gradient in a softmax that in what it is of, times `scale`, in its place.
fn softmax_backward(gradient: &mut [f32], weights: &[f32], scale: f32) {
    wide(
        #[inline(always)]
        || {
            let [along] = rows::sums([&*gradient, weights, weights], |g, p, _| [g * p]);
            for (g, p) in gradient.iter_mut().zip(weights) {
                *g = (*g - along) * p * scale;
            }
        },
    );
}
