//! How a callback reaches gradients and weights without knowing where they live.

use serde::{Deserialize, Serialize};
use trainbook_core::simd::wide;

use super::{CallbackError, Snapshot};

/// The gradients of one step, wherever they live.
///
/// On an accelerator the methods that return numbers wait for the device, once for as long as nothing
/// changes, and [`edit`](Self::edit) copies back and forth; `scale` and `clamp` stay on the device.
pub trait Gradients {
    /// The trainable tensors, in a fixed order.
    fn tensors(&self) -> &[TensorInfo];

    /// The Euclidean norm over all gradients, summed in f64. Computed once per change.
    fn global_norm(&self) -> Result<f64, CallbackError>;

    /// One entry per tensor of [`tensors`](Self::tensors), in that order.
    fn stats(&self) -> Result<Vec<TensorStats>, CallbackError>;

    /// Multiplies every gradient by `factor`.
    fn scale(&mut self, factor: f32) -> Result<(), CallbackError>;

    /// Limits every element to `[-limit, limit]`. NaN stays NaN.
    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError>;

    /// Hands every tensor's gradient to `change`, in row-major order.
    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError>;
}

/// The weights of the model, wherever they live.
pub trait Weights {
    /// The names and shapes of every tensor of the model, running statistics included, in the order of
    /// [`snapshot`](Self::snapshot). Those of the trainable ones are the names that
    /// [`Gradients::tensors`] has.
    fn tensor_infos(&self) -> &[TensorInfo];

    /// A copy of every tensor of the model, running statistics included.
    fn snapshot(&self) -> Result<Snapshot, CallbackError>;

    /// Lends every tensor, with its place in [`snapshot`](Self::snapshot). On the processor this
    /// copies nothing.
    fn each(&self, look: &mut dyn FnMut(usize, &[f32])) -> Result<(), CallbackError> {
        let Snapshot(tensors) = self.snapshot()?;
        tensors.iter().enumerate().for_each(|(at, values)| look(at, values));
        Ok(())
    }

    /// Puts a copy back, bit for bit.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError>;
}

/// The name and shape of one tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Where it sits in the model, for example `0.weight`.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

/// What one gradient looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TensorStats {
    /// Number of elements.
    pub len: usize,
    /// Euclidean norm; NaN when an element is NaN.
    pub norm: f64,
    /// Largest absolute value among elements that are not NaN.
    pub max_abs: f32,
    /// Number of exact zeros.
    pub zeros: usize,
    /// Number of NaNs.
    pub nans: usize,
    /// Number of infinities.
    pub infs: usize,
}

impl TensorStats {
    /// Of one tensor's elements.
    pub fn of(values: &[f32]) -> Self {
        let count = |wanted: fn(f32) -> bool| values.iter().filter(|v| wanted(**v)).count();
        let norm = sum_of_squares(values).sqrt();
        let (max_abs, zeros) = largest_and_zeros(values);
        // Rarely needed, so looked for only where the norm says that there is something.
        let finite = norm.is_finite();
        Self {
            len: values.len(),
            norm,
            max_abs,
            zeros,
            nans: if finite { 0 } else { count(f32::is_nan) },
            infs: if finite { 0 } else { count(f32::is_infinite) },
        }
    }
}

/// Elements that are handled side by side, so that the compiler can vectorise; the order is fixed
/// and never depends on threads.
const LANES: usize = 16;

/// What is summed in f32; and how many such blocks are summed side by side, since the next number of a
/// lane waits for the one before it.
const BLOCK: usize = LANES * 16;
const BLOCKS: usize = 4;

/// The sum of squares, NaN when an element is NaN.
///
/// Summed in f32 over blocks of 256 elements, in 16 lanes, and over blocks in f64: a relative error
/// below 2⁻¹⁹. A block that would leave the range of f32, to either side, is summed in f64.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    let (groups, single) = blocks.as_chunks::<BLOCKS>();
    let mut sum = 0.0;
    groups.iter().for_each(|group| add_squares(&mut sum, group));
    single.as_chunks::<1>().0.iter().for_each(|block| add_squares(&mut sum, block));
    if !rest.is_empty() {
        add_squares(&mut sum, &[filled_up(rest)]);
    }
    sum
}

/// Adds one block after the other.
fn add_squares<const N: usize>(sum: &mut f64, blocks: &[[f32; BLOCK]; N]) {
    let sums = wide(
        #[inline(always)]
        || squares(blocks),
    );
    for (block, in_f32) in blocks.iter().zip(sums) {
        *sum += checked(block, in_f32);
    }
}

/// The sum of each block. In plain loops, of which nothing is left that could be called and would then
/// not be compiled for the widest instructions.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "a loop over numbers is nothing that could be called"
)]
fn squares<const N: usize>(blocks: &[[f32; BLOCK]; N]) -> [f32; N] {
    let mut lanes = [[0.0_f32; LANES]; N];
    for at in 0..BLOCK / LANES {
        for block in 0..N {
            for lane in 0..LANES {
                let v = blocks[block][at * LANES + lane];
                lanes[block][lane] += v * v;
            }
        }
    }
    let mut sums = [0.0; N];
    for lane in 0..LANES {
        for block in 0..N {
            sums[block] += lanes[block][lane];
        }
    }
    sums
}

/// The last, shorter block with zeros, which change no sum. What does not fill all lanes comes first.
fn filled_up(rest: &[f32]) -> [f32; BLOCK] {
    let mut block = [0.0; BLOCK];
    let (rows, odd) = rest.split_at(rest.len() / LANES * LANES);
    block[..odd.len()].copy_from_slice(odd);
    block[LANES..][..rows.len()].copy_from_slice(rows);
    block
}

/// A block's sum, in f64 where it has left the range of f32.
fn checked(block: &[f32], in_f32: f32) -> f64 {
    if (1e-20..1e30).contains(&in_f32) {
        f64::from(in_f32)
    } else {
        block.iter().map(|&v| f64::from(v).powi(2)).sum()
    }
}

/// The largest absolute value among elements that are not NaN, 0 when there are none; and the number
/// of exact zeros.
fn largest_and_zeros(values: &[f32]) -> (f32, usize) {
    let (rows, rest) = values.as_chunks::<LANES>();
    // NaN is neither.
    let mut last = [f32::NAN; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let (mut largest, mut zeros) = ([0.0; LANES], [0; LANES]);
    for rows in [rows, &[last]] {
        (largest, zeros) = wide(
            #[inline(always)]
            || largest_and_zeros_by_lane(rows, largest, zeros),
        );
    }
    (largest.into_iter().fold(0.0, f32::max), zeros.iter().sum::<u32>() as usize)
}

/// Those so far and of more rows.
#[inline(always)]
fn largest_and_zeros_by_lane(
    rows: &[[f32; LANES]],
    mut largest: [f32; LANES],
    mut zeros: [u32; LANES],
) -> ([f32; LANES], [u32; LANES]) {
    for row in rows {
        for lane in 0..LANES {
            let v = row[lane].abs();
            largest[lane] = if v > largest[lane] { v } else { largest[lane] };
            zeros[lane] += u32::from(v == 0.0);
        }
    }
    (largest, zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(values: &[f32]) -> f64 {
        values.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
    }

    #[test]
    fn squares_are_summed_as_in_f64_over_the_whole_range_of_f32() {
        for scale in [1e-38_f32, 1e-20, 1e-11, 1.0, 1e14, 1e19, 3e37] {
            for len in [0, 1, 15, 16, 17, 255, 256, 257, 1000, 1024, 3100] {
                let values: Vec<f32> =
                    (0..len).map(|i| scale * ((i * 37 % 19) as f32 - 9.0)).collect();
                let (got, expected) = (sum_of_squares(&values), plainly(&values));
                assert!(
                    (got - expected).abs() <= expected * 2.0_f64.powi(-19),
                    "{scale} × {len}: {got} for {expected}"
                );
            }
        }
        // Its bits are those of this order, whatever the machine.
        let values: Vec<f32> = (0..5000).map(|i| (i as f32 * 0.37).sin()).collect();
        let in_order = |block: &[f32]| {
            let mut lanes = [0.0_f32; 16];
            let (whole, rest) = block.split_at(block.len() / 16 * 16);
            for values in std::iter::once(rest).chain(whole.chunks(16)) {
                lanes.iter_mut().zip(values).for_each(|(lane, v)| *lane += v * v);
            }
            f64::from(lanes.iter().sum::<f32>())
        };
        let expected: f64 = values.chunks(256).map(in_order).sum();
        assert_eq!(sum_of_squares(&values).to_bits(), expected.to_bits());
        assert!(sum_of_squares(&[1.0, f32::NAN]).is_nan());
        assert_eq!(sum_of_squares(&[1.0, f32::NEG_INFINITY]), f64::INFINITY);
        // Also where four blocks are summed side by side, whichever has it.
        for at in [0, 300, 1023, 1500] {
            let mut values = values.clone();
            values[at] = f32::NAN;
            assert!(sum_of_squares(&values).is_nan());
            values[at] = 1e25;
            assert!((sum_of_squares(&values) / 1e50 - 1.0).abs() < 1e-6, "{at}");
        }
    }

    #[test]
    fn odd_values_are_counted() {
        let mut values = vec![0.5_f32; 40];
        (values[3], values[17], values[18], values[39]) = (0.0, f32::NAN, f32::NEG_INFINITY, -0.0);
        let stats = TensorStats::of(&values);
        assert_eq!((stats.len, stats.zeros, stats.nans, stats.infs), (40, 2, 1, 1));
        assert_eq!(stats.max_abs, f32::INFINITY);
        assert!(stats.norm.is_nan());
        let stats = TensorStats::of(&[3.0, -4.0]);
        assert_eq!((stats.norm, stats.max_abs, stats.zeros), (5.0, 4.0, 0));
    }
}
