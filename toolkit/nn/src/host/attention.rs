//! Attention over the pieces of one memory: each head of each sample by itself.

use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, s};
use rayon::prelude::*;

use super::exp::exp;
use super::gemm::product;
use super::rows;
use super::simd::wide;
use crate::layer::Fault;

/// The sizes of attention, and whether a position sees only itself and those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    pub batch: usize,
    pub length: usize,
    pub features: usize,
    pub heads: usize,
    pub causal: bool,
}

impl Attention {
    fn head(&self) -> usize {
        self.features / self.heads
    }

    /// How many positions the one at `row` sees.
    fn seen(&self, row: usize) -> usize {
        if self.causal { row + 1 } else { self.length }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }

    /// Queries, keys and values beside each other: batch × length × 3 features.
    fn qkv<'a>(&self, qkv: &'a [f32]) -> Result<ArrayView3<'a, f32>, Fault> {
        Ok(ArrayView3::from_shape((self.batch, self.length, 3 * self.features), qkv)?)
    }

    fn merged<'a>(&self, merged: &'a [f32]) -> Result<ArrayView3<'a, f32>, Fault> {
        Ok(ArrayView3::from_shape((self.batch, self.length, self.features), merged)?)
    }

    /// The columns of the head: of its queries, keys or values, which are number `part`.
    fn columns(&self, part: usize, head: usize) -> std::ops::Range<usize> {
        let begin = part * self.features + head * self.head();
        begin..begin + self.head()
    }

    /// `merged ← softmax(q kᵀ / √head) v`, the heads beside each other; `weights` (batch × heads ×
    /// length × length) receives the softmaxes. Of the keys that are `padding` (batch × length) they
    /// are 0, and all of them where there is no other key.
    pub fn forward(
        &self,
        qkv: &[f32],
        padding: Option<&[bool]>,
        weights: &mut [f32],
        merged: &mut [f32],
    ) -> Result<(), Fault> {
        let length = self.length;
        let qkv = self.qkv(qkv)?;
        let mut merged = ArrayViewMut3::from_shape((self.batch, length, self.features), merged)?;
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
        let pieces = weights.par_chunks_mut(length * length).zip(into);
        pieces.enumerate().try_for_each(|(i, (weights, mut into))| {
            let (sample, head) = (i / self.heads, i % self.heads);
            let part = |part| qkv.slice(s![sample, .., self.columns(part, head)]);
            let (q, k, v) = (part(0), part(1), part(2));
            let mut scores = ArrayViewMut2::from_shape((length, length), &mut *weights)?;
            product(self.scale(), &q, &k.t(), false, &mut scores);
            for (row, scores) in weights.chunks_exact_mut(length).enumerate() {
                let (seen, hidden) = scores.split_at_mut(self.seen(row));
                hidden.fill(0.0);
                let keys = padding.map(|padding| &padding[sample * length..][..seen.len()]);
                if keys.is_some_and(|keys| keys.iter().all(|padding| *padding)) {
                    seen.fill(0.0);
                    continue;
                }
                for (score, _) in seen.iter_mut().zip(keys.into_iter().flatten()).filter(|k| *k.1) {
                    *score = f32::NEG_INFINITY;
                }
                softmax(seen);
            }
            let weights = ndarray::ArrayView2::from_shape((length, length), &*weights)?;
            product(1.0, &weights, &v, false, &mut into);
            Ok::<(), Fault>(())
        })
    }

    /// Given the gradient in `merged`, that in `qkv`.
    pub fn backward(
        &self,
        qkv: &[f32],
        weights: &[f32],
        of_merged: &[f32],
        of_qkv: &mut [f32],
    ) -> Result<(), Fault> {
        let length = self.length;
        let (qkv, of_merged) = (self.qkv(qkv)?, self.merged(of_merged)?);
        let mut of_qkv =
            ArrayViewMut3::from_shape((self.batch, length, 3 * self.features), of_qkv)?;
        // For every head of every sample the columns of its queries, its keys and its values.
        let mut into: Vec<Vec<ArrayViewMut2<'_, f32>>> = Vec::new();
        for sample in of_qkv.axis_iter_mut(Axis(0)) {
            let begin = into.len();
            into.resize_with(begin + self.heads, || Vec::with_capacity(3));
            let mut rest = sample;
            for i in 0..3 * self.heads {
                let (piece, others) = rest.split_at(Axis(1), self.head());
                into[begin + i % self.heads].push(piece);
                rest = others;
            }
        }
        let pieces: Vec<_> = weights.chunks(length * length).zip(into).enumerate().collect();
        pieces.into_par_iter().try_for_each_init(
            || vec![0.0_f32; length * length],
            |of_scores, (i, (weights, into))| {
                let (sample, head) = (i / self.heads, i % self.heads);
                let part = |part| qkv.slice(s![sample, .., self.columns(part, head)]);
                let (q, k, v) = (part(0), part(1), part(2));
                let Ok([mut of_q, mut of_k, mut of_v]) = <[_; 3]>::try_from(into) else {
                    return Err(Fault::new("queries, keys and values are three"));
                };
                let of_merged = of_merged.slice(s![sample, .., self.columns(0, head)]);
                let square = (length, length);
                let p = ndarray::ArrayView2::from_shape(square, weights)?;
                product(1.0, &p.t(), &of_merged, false, &mut of_v);
                let mut scores = ArrayViewMut2::from_shape(square, &mut of_scores[..])?;
                product(1.0, &of_merged, &v.t(), false, &mut scores);
                let scale = self.scale();
                let rows = of_scores.chunks_exact_mut(length).zip(weights.chunks_exact(length));
                for (row, (of_scores, weights)) in rows.enumerate() {
                    let (seen, hidden) = of_scores.split_at_mut(self.seen(row));
                    softmax_backward(seen, &weights[..seen.len()], scale);
                    hidden.fill(0.0);
                }
                let scores = ndarray::ArrayView2::from_shape(square, &of_scores[..])?;
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
