//! Products of matrices.

use std::cell::RefCell;

use gemm_common::Parallelism;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, s};

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

/// Multiplications below which a product stays on one thread: some 10 µs of one core, about what it
/// takes to wake another.
const WORTH: usize = 1 << 19;

/// `into ← a · b`, or with `add` `into ← into + a · b`; `into` is row-major and has as many rows as
/// `a` and as many columns as `b`.
///
/// Whatever the number of threads, the bits are the same: each element is one sum in the order of
/// the inner dimension, in pieces of 512, so that a row comes to the same in any company.
/// Matrices that do not fit each other leave `into` as it is, which is a bug in the caller.
pub fn gemm(a: Matrix<'_>, b: Matrix<'_>, into: &mut [f32], add: bool) {
    let (Some(a), Some(b)) = (a.view(), b.view()) else {
        return debug_assert!(false, "a matrix has another size");
    };
    let Ok(mut into) = ArrayViewMut2::from_shape((a.nrows(), b.ncols()), into) else {
        return debug_assert!(false, "the product has another size");
    };
    let worth = a.nrows() * a.ncols() * b.ncols() >= WORTH;
    let threads = if worth { Parallelism::Rayon(0) } else { Parallelism::None };
    Product { scale: 1.0, add, threads }.of(&a, &b, &mut into);
}

/// `into ← scale · a · b`, or with `add` `into ← into + scale · a · b`, on this thread alone.
pub(super) fn product(
    scale: f32,
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    add: bool,
    into: &mut ArrayViewMut2<'_, f32>,
) {
    Product { scale, add, threads: Parallelism::None }.of(a, b, into);
}

thread_local! {
    /// Memory for [`Product::of_piece`].
    static SPREAD: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Sizes up to which the crate has ways of its own for products of rows with rows.
const FEW: usize = 16 * 16;

/// Rows whose copy is made at once.
const BLOCK: usize = 256;

/// The inner dimension is summed in pieces of so many, which the crate does not cut further.
const PIECE: usize = 512;

/// How two matrices are multiplied. What a row comes to does not depend on the other rows: the crate
/// would sum in another order where there are few results, and cut long sums at places that depend on
/// the number of rows.
#[derive(Clone, Copy)]
struct Product {
    scale: f32,
    add: bool,
    threads: Parallelism,
}

impl Product {
    fn of(
        self,
        a: &ArrayView2<'_, f32>,
        b: &ArrayView2<'_, f32>,
        into: &mut ArrayViewMut2<'_, f32>,
    ) {
        let inner = a.ncols();
        if inner != b.nrows() || into.dim() != (a.nrows(), b.ncols()) {
            let (a, b, into) = (a.dim(), b.dim(), into.dim());
            return debug_assert!(false, "matrices of {a:?}, {b:?}, {into:?}");
        }
        if inner <= PIECE {
            return self.of_piece(a, b, into);
        }
        for start in (0..inner).step_by(PIECE) {
            let end = inner.min(start + PIECE);
            let (a, b) = (a.slice(s![.., start..end]), b.slice(s![start..end, ..]));
            Self { add: self.add || start > 0, ..self }.of_piece(&a, &b, into);
        }
    }

    /// The crate's ways for few results ask for numbers side by side: a copy of `a` with gaps goes
    /// the common way.
    fn of_piece(
        self,
        a: &ArrayView2<'_, f32>,
        b: &ArrayView2<'_, f32>,
        into: &mut ArrayViewMut2<'_, f32>,
    ) {
        let (rows, inner, columns) = (a.nrows(), a.ncols(), b.ncols());
        let few = rows == 1 || columns == 1 || rows * columns <= FEW;
        if !(few && inner > 2 && a.strides()[1] == 1 && b.strides()[0] == 1) {
            return self.as_they_lie(a, b, into);
        }
        // Taken out, because this thread may help with other products while it waits.
        let mut spread = SPREAD.take();
        for start in (0..rows).step_by(BLOCK) {
            let rows = BLOCK.min(rows - start);
            let a = a.slice(s![start..start + rows, ..]);
            spread.resize(2 * rows * inner, 0.0);
            for (row, into) in a.rows().into_iter().zip(spread.chunks_exact_mut(2 * inner)) {
                row.iter().zip(into.iter_mut().step_by(2)).for_each(|(from, to)| *to = *from);
            }
            let shape = (rows, inner).strides((2 * inner, 2));
            let mut into = into.slice_mut(s![start..start + rows, ..]);
            match ArrayView2::from_shape(shape, &spread[..]) {
                Ok(a) => self.as_they_lie(&a, b, &mut into),
                Err(_) => debug_assert!(false, "the copy has another size"),
            }
        }
        SPREAD.set(spread);
    }

    /// The sizes must fit.
    fn as_they_lie(
        self,
        a: &ArrayView2<'_, f32>,
        b: &ArrayView2<'_, f32>,
        into: &mut ArrayViewMut2<'_, f32>,
    ) {
        #[allow(unsafe_code, reason = "the product takes pointers")]
        // SAFETY: `of` has seen that the sizes fit each other. By the views' own promise, rows and
        // columns that are smaller than these lead by their strides to numbers that may be read, and
        // those of `into` to numbers that nobody else has, each to another one. `into` is read only
        // with `add`, and all memory here is initialised.
        unsafe {
            // It prefers columns that are contiguous, so this is `intoᵀ ← bᵀ · aᵀ`.
            gemm_f32::gemm::f32::get_gemm_fn()(
                b.ncols(),
                a.nrows(),
                a.ncols(),
                into.as_mut_ptr(),
                into.strides()[0],
                into.strides()[1],
                self.add,
                b.as_ptr(),
                b.strides()[0],
                b.strides()[1],
                a.as_ptr(),
                a.strides()[0],
                a.strides()[1],
                1.0,
                self.scale,
                false,
                false,
                false,
                self.threads,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, whose sums are exact.
    fn numbers(len: usize, shift: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + shift) % 11) as f32 - 5.0).collect()
    }

    #[test]
    fn every_orientation_and_size_is_the_sum_of_products() {
        for (rows, inner, columns) in [(1, 1, 1), (1, 40, 17), (65, 7, 1), (70, 33, 129)] {
            let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 3));
            let transposed = |m: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| m[i % rows * columns + i / rows]).collect()
            };
            let (at, bt) = (transposed(&a, rows, inner), transposed(&b, inner, columns));
            let expected: Vec<f32> = (0..rows * columns)
                .map(|i| {
                    let (row, column) = (i / columns, i % columns);
                    (0..inner).map(|k| a[row * inner + k] * b[k * columns + column]).sum()
                })
                .collect();
            for a in [Matrix::new(&a, rows, inner), Matrix::new(&at, inner, rows).t()] {
                for b in [Matrix::new(&b, inner, columns), Matrix::new(&bt, columns, inner).t()] {
                    let mut into = vec![f32::NAN; rows * columns];
                    gemm(a, b, &mut into, false);
                    assert_eq!(into, expected, "{rows} × {inner} × {columns}");
                    into.fill(1.0);
                    gemm(a, b, &mut into, true);
                    assert!(into.iter().zip(&expected).all(|(found, e)| *found == e + 1.0));
                }
            }
        }
    }

    /// What a layer makes of a row is the same alone, among few and among many.
    #[test]
    fn a_row_comes_to_the_same_bits_in_any_company() {
        let number = |i: usize| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5;
        const ROWS: usize = 300;
        let sizes =
            [(3, 1), (64, 1), (64, 10), (64, 128), (130, 7), (300, 20), (784, 10), (1100, 64)];
        for (inner, columns) in sizes {
            let a: Vec<f32> = (0..ROWS * inner).map(number).collect();
            let weight: Vec<f32> = (0..columns * inner).map(|i| number(i + 5)).collect();
            let of = |first: usize, rows: usize| {
                let mut into = vec![0.25; rows * columns];
                let a = Matrix::new(&a[first * inner..][..rows * inner], rows, inner);
                gemm(a, Matrix::new(&weight, columns, inner).t(), &mut into, true);
                into
            };
            let all = of(0, ROWS);
            for rows in [1, 2, 3, 8, 20, 64, 65, 130] {
                for first in (0..ROWS - rows).step_by(37) {
                    let expected = &all[first * columns..][..rows * columns];
                    assert_eq!(of(first, rows), expected, "{rows} rows, {inner} × {columns}");
                }
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        let number = |i: usize| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5;
        let (rows, inner, columns) = (150, 900, 130);
        let a: Vec<f32> = (0..rows * inner).map(number).collect();
        let b: Vec<f32> = (0..inner * columns).map(|i| number(i + 5)).collect();
        let with = |threads: usize| {
            let mut into = vec![0.0; rows * columns];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (a, b) = (Matrix::new(&a, rows, inner), Matrix::new(&b, inner, columns));
                gemm(a, b, &mut into, false);
            });
            into
        };
        let one = with(1);
        assert!([2, 3, 4].into_iter().all(|threads| with(threads) == one));
    }
}
