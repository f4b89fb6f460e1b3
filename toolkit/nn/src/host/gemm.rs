//! Products of matrices.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, ShapeBuilder};
use rayon::prelude::*;

/// A matrix in somebody's memory, as it is or transposed.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// Row-major, rows × columns.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, transposed: false }
    }

    /// Its transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn view(self) -> Option<ArrayView2<'a, f32>> {
        let Self { values, rows, columns, transposed } = self;
        let view = ArrayView2::from_shape((rows, columns).strides((columns, 1)), values).ok()?;
        Some(if transposed { view.reversed_axes() } else { view })
    }
}

/// Multiplications from which on a product is divided: some 25 µs of one core, several times what it
/// takes to wake another.
const WORTH: usize = 1 << 20;

/// Rows (or columns) of a share at least, so that packing the other matrix again is worth it.
const SHARE: usize = 48;

/// `into ← a · b`, or with `add` `into ← into + a · b`; `into` is row-major and has as many rows as
/// `a` and as many columns as `b`.
///
/// Whatever the number of threads, the bits are the same: the larger side of `into` is cut by its
/// size alone, and each element is one sum in the order of the inner dimension. Matrices that do
/// not fit each other leave `into` as it is, which is a bug in the caller.
pub fn gemm(a: Matrix<'_>, b: Matrix<'_>, into: &mut [f32], add: bool) {
    let (Some(a), Some(b)) = (a.view(), b.view()) else {
        return debug_assert!(false, "a matrix has another size");
    };
    let (rows, inner, columns) = (a.nrows(), a.ncols(), b.ncols());
    let Ok(mut into) = ArrayViewMut2::from_shape((rows, columns), into) else {
        return debug_assert!(false, "the product has another size");
    };
    if inner != b.nrows() || rows == 0 || columns == 0 {
        debug_assert_eq!(inner, b.nrows(), "the inner dimensions differ");
        return;
    }
    let beta = if add { 1.0 } else { 0.0 };
    let side = rows.max(columns);
    if rows * inner * columns < WORTH || side < 2 * SHARE {
        return general_mat_mul(1.0, &a, &b, beta, &mut into);
    }
    let share = side.div_ceil(4).max(SHARE).next_multiple_of(16);
    if rows >= columns {
        let shares: Vec<_> = a
            .axis_chunks_iter(Axis(0), share)
            .zip(into.axis_chunks_iter_mut(Axis(0), share))
            .collect();
        shares
            .into_par_iter()
            .for_each(|(a, mut into)| general_mat_mul(1.0, &a, &b, beta, &mut into));
    } else {
        let shares: Vec<_> = b
            .axis_chunks_iter(Axis(1), share)
            .zip(into.axis_chunks_iter_mut(Axis(1), share))
            .collect();
        shares
            .into_par_iter()
            .for_each(|(b, mut into)| general_mat_mul(1.0, &a, &b, beta, &mut into));
    }
}
