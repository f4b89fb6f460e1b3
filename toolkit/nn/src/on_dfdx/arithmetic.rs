//! What gradients go through where they are.

use dfdx::tensor::Cpu;
#[cfg(any(feature = "trial", feature = "cuda"))]
use dfdx::tensor::HasErr;
use trainbook_callbacks::TensorStats;

#[cfg(any(feature = "trial", feature = "cuda"))]
use super::backend::Half;
use super::backend::{Backend, Buffer};
use super::mixing::Mixing;
use crate::NnError;

/// Hands a buffer to whoever asked for all of them, one after the other.
pub(crate) type Visit<'v, D> = dyn FnMut(&Buffer<f32, D>) -> Result<(), NnError> + 'v;

/// One pass over a device's memory for each operation on gradients, without a copy on the host.
pub(crate) trait Arithmetic: Backend<f32> {
    /// Multiplies every number by `factor`.
    fn scale(buffer: &mut Buffer<f32, Self>, factor: f32) -> Result<(), NnError>;

    /// Limits every number to `[-limit, limit]`. NaN stays NaN.
    fn clamp(buffer: &mut Buffer<f32, Self>, limit: f32) -> Result<(), NnError>;

    /// What each buffer of those that are handed out looks like, which have these lengths. On an
    /// accelerator it is waited for once.
    fn statistics(
        &self,
        lens: &[usize],
        hand_out: impl FnOnce(&mut Visit<'_, Self>) -> Result<(), NnError>,
    ) -> Result<Vec<TensorStats>, NnError>;

    /// What is needed to train in mixed precision; `None` where this build cannot.
    fn mixing(&self) -> Result<Option<Box<dyn Mixing<Self>>>, NnError>;
}

/// What mixed precision needs besides.
#[cfg(any(feature = "trial", feature = "cuda"))]
pub(crate) trait HalfArithmetic: Arithmetic + Backend<Half> {
    /// Adds `factor` times the other's numbers.
    fn add_scaled(
        sum: &mut Buffer<f32, Self>,
        other: &Buffer<f32, Self>,
        factor: f32,
    ) -> Result<(), <Self as HasErr>::Err>;

    /// Adds `factor` times the numbers of f16.
    fn add_widened(
        sum: &mut Buffer<f32, Self>,
        half: &Buffer<Half, Self>,
        factor: f32,
    ) -> Result<(), <Self as HasErr>::Err>;

    /// Adds to numbers of f16.
    fn add_narrowed(
        sum: &mut Buffer<Half, Self>,
        other: &Buffer<f32, Self>,
    ) -> Result<(), <Self as HasErr>::Err>;
}

impl Arithmetic for Cpu {
    fn scale(buffer: &mut Buffer<f32, Self>, factor: f32) -> Result<(), NnError> {
        buffer.iter_mut().for_each(|v| *v *= factor);
        Ok(())
    }

    fn clamp(buffer: &mut Buffer<f32, Self>, limit: f32) -> Result<(), NnError> {
        buffer.iter_mut().for_each(|v| *v = v.clamp(-limit, limit));
        Ok(())
    }

    fn statistics(
        &self,
        lens: &[usize],
        hand_out: impl FnOnce(&mut Visit<'_, Self>) -> Result<(), NnError>,
    ) -> Result<Vec<TensorStats>, NnError> {
        let mut statistics = Vec::with_capacity(lens.len());
        hand_out(&mut |buffer| {
            statistics.push(TensorStats::of(buffer));
            Ok(())
        })?;
        Ok(statistics)
    }

    #[cfg(feature = "trial")]
    fn mixing(&self) -> Result<Option<Box<dyn Mixing<Self>>>, NnError> {
        Ok(Some(Box::new(super::mixed::Mixed::default())))
    }

    #[cfg(not(feature = "trial"))]
    fn mixing(&self) -> Result<Option<Box<dyn Mixing<Self>>>, NnError> {
        Ok(None)
    }
}

#[cfg(feature = "trial")]
impl HalfArithmetic for Cpu {
    fn add_scaled(
        sum: &mut Buffer<f32, Self>,
        other: &Buffer<f32, Self>,
        factor: f32,
    ) -> Result<(), <Self as HasErr>::Err> {
        sum.iter_mut().zip(other.iter()).for_each(|(s, v)| *s += v * factor);
        Ok(())
    }

    fn add_widened(
        sum: &mut Buffer<f32, Self>,
        half: &Buffer<Half, Self>,
        factor: f32,
    ) -> Result<(), <Self as HasErr>::Err> {
        sum.iter_mut().zip(half.iter()).for_each(|(s, v)| *s += v.0.to_f32() * factor);
        Ok(())
    }

    fn add_narrowed(
        sum: &mut Buffer<Half, Self>,
        other: &Buffer<f32, Self>,
    ) -> Result<(), <Self as HasErr>::Err> {
        let add = |half: half::f16, v: f32| half::f16::from_f32(half.to_f32() + v);
        sum.iter_mut().zip(other.iter()).for_each(|(s, v)| s.0 = add(s.0, *v));
        Ok(())
    }
}

/// How many numbers of an accelerator's buffer make a row: the sum of squares, the largest absolute
/// value, and how many zeros, NaN and infinities there are.
#[cfg(any(test, feature = "cuda"))]
pub(super) const ROW: usize = 5;

/// What the rows of a buffer of this length come to, in order.
#[cfg(any(test, feature = "cuda"))]
pub(super) fn folded(len: usize, rows: &[f64]) -> TensorStats {
    let (mut squares, mut largest, mut counts) = (0.0, 0.0_f64, [0.0; 3]);
    for row in rows.chunks_exact(ROW) {
        squares += row[0];
        largest = largest.max(row[1]);
        counts.iter_mut().zip(&row[2..]).for_each(|(sum, n)| *sum += n);
    }
    let [zeros, nans, infs] = counts.map(|n| n as usize);
    TensorStats { len, norm: squares.sqrt(), max_abs: largest as f32, zeros, nans, infs }
}
