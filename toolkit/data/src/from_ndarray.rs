//! Data sets of arrays of the crate `ndarray`.

use ndarray::{ArrayView, Dimension};

use super::{Array, DataError, Dataset, Numbers};

mod sealed {
    /// Nobody else may say what a number becomes.
    pub trait Sealed {}
}

/// A number of an array that becomes a feature or a target: `f32`, `f64` (rounded to `f32`), `bool`,
/// and integers of 8 to 64 bits.
pub trait NdNumber: Copy + sealed::Sealed {
    /// Numbers in the order of rows: floats, or integers.
    #[doc(hidden)]
    fn gather(all: impl Iterator<Item = Self>) -> Numbers;
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl sealed::Sealed for $float {}
        impl NdNumber for $float {
            #[allow(clippy::cast_possible_truncation, reason = "what is not finite is refused")]
            fn gather(all: impl Iterator<Item = Self>) -> Numbers {
                Numbers::F32(all.map(|x| x as f32).collect())
            }
        }
    )*};
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl sealed::Sealed for $integer {}
        impl NdNumber for $integer {
            fn gather(all: impl Iterator<Item = Self>) -> Numbers {
                // More than i64 holds is no class, and no feature that f32 holds exactly.
                Numbers::I64(all.map(|x| i64::try_from(x).unwrap_or(i64::MAX)).collect())
            }
        }
    )*};
}

floats!(f32, f64);
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl sealed::Sealed for bool {}
impl NdNumber for bool {
    fn gather(all: impl Iterator<Item = Self>) -> Numbers {
        Numbers::I64(all.map(i64::from).collect())
    }
}

impl Dataset {
    /// A data set from arrays of the crate [`ndarray`] (0.17), whose first axis is the row:
    /// `Dataset::from_ndarray("sensor", features.view(), targets.view())`. `features` are
    /// `[N, features]`, `[N, C, H, W]` or `[N, C, L]`, floats or integers, which become `f32`;
    /// `targets` are integers or `bool` for classes, floats for values: `[N]`, or `[N, K]` for K of
    /// each row. Views are read in the order of their axes, whatever their order in memory:
    /// transposed, sliced and reversed ones too. The numbers are copied, once. Needs the feature
    /// `ndarray`.
    ///
    /// ```
    /// use ndarray::array;
    /// use trainbook_data::Dataset;
    ///
    /// let features = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    /// let data = Dataset::from_ndarray("by hand", features.view(), array![0, 1, 0].view())?;
    /// assert_eq!((data.len(), data.shape(), data.classes()), (3, &[2][..], Some(2)));
    /// # Ok::<(), trainbook_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// The shapes do not fit, a feature is an integer that `f32` does not hold exactly (beyond 2²⁴),
    /// or what [`from_arrays`](Self::from_arrays) refuses: a number that is not finite, classes that
    /// are not counted from 0 without gaps.
    pub fn from_ndarray<X: NdNumber, Y: NdNumber, D: Dimension, E: Dimension>(
        source: &str,
        features: ArrayView<'_, X, D>,
        targets: ArrayView<'_, Y, E>,
    ) -> Result<Self, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "use", reason });
        let (of_features, of_targets) = (features.shape(), targets.shape());
        if of_features.len() < 2 || of_targets.is_empty() {
            return refuse(format!(
                "the features have the shape {of_features:?} and the targets {of_targets:?}; \
                 features must be [rows, features] or more, also where there is one, and targets \
                 [rows] or more"
            ));
        }
        if of_features.first() != of_targets.first() {
            return refuse(format!(
                "the features have the shape {of_features:?} and the targets {of_targets:?}; the \
                 first axis of both is the rows, so it must be the same"
            ));
        }
        let width: usize = of_features.iter().skip(1).product();
        let (shape, of_targets) = (of_features.to_vec(), of_targets.to_vec());
        let numbers = match X::gather(features.iter().copied()) {
            Numbers::F32(numbers) => numbers,
            Numbers::I64(integers) => {
                // f32 holds all integers up to there.
                let exact = |x: i64| x.unsigned_abs() <= 1 << f32::MANTISSA_DIGITS;
                if let Some(at) = integers.iter().position(|&x| !exact(x)) {
                    return refuse(format!(
                        "feature {} of row {} is {}, which f32 does not hold exactly; scale it \
                         down, or convert it to a float first",
                        at % width.max(1),
                        at / width.max(1),
                        integers[at]
                    ));
                }
                #[allow(clippy::cast_precision_loss, reason = "they are exact")]
                let numbers = integers.into_iter().map(|x| x as f32).collect();
                numbers
            }
        };
        let targets = Array { shape: of_targets, numbers: Y::gather(targets.iter().copied()) };
        Self::from_arrays(source, Array { shape, numbers: Numbers::F32(numbers) }, targets)
    }
}
