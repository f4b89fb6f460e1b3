//! On what dfdx computes: a device and a precision.

use dfdx::shapes::Axis;
#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;
use dfdx::tensor::{Cpu, Storage};

use super::table::Takers;
use super::{Flow, Pass, Taped};
use crate::NnError;
use crate::layer::{DynLayer, Fault};
use crate::task::Shareable;

/// A precision: `f32`; f16 under mixed precision; or `f64` where a derivative is to be compared with
/// differences.
pub trait Real: dfdx::dtypes::Dtype + num_traits::Float + Shareable {
    /// The nearest such number.
    fn of(value: f64) -> Self;

    /// As f64, exactly.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn wide(self) -> f64 {
        self
    }
}

/// f16, of which dfdx takes sums in f32.
#[cfg(any(feature = "trial", feature = "cuda"))]
pub(crate) type Half = dfdx::dtypes::AMP<half::f16>;

#[cfg(any(feature = "trial", feature = "cuda"))]
impl Real for Half {
    fn of(value: f64) -> Self {
        Self(half::f16::from_f64(value))
    }

    fn wide(self) -> f64 {
        self.0.to_f64()
    }
}

/// Four dimensions that are known at run time.
pub(crate) type Rank4 = (usize, usize, usize, usize);

/// A device's memory of numbers.
pub(crate) type Buffer<E, D> = <D as Storage<E>>::Vec;

/// A dfdx device that computes in the precision `E`, and whose buffers the host can look at and
/// change.
pub trait Backend<E: Real>: dfdx::tensor_ops::Device<E> + Shareable {
    /// Runs a layer of any type.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "called by `Pass` alone")]
    fn run(
        layer: &dyn DynLayer,
        pass: &mut Pass<'_, E, Self>,
        x: Flow<E, Self>,
    ) -> Result<Flow<E, Self>, Fault>;

    /// The softmax over the last of four dimensions, in f32 at least.
    ///
    /// # Errors
    /// The device fails.
    fn softmax(x: Taped<Rank4, E, Self>) -> Result<Taped<Rank4, E, Self>, Self::Err> {
        x.try_softmax::<Axis<3>>()
    }

    /// Adds to the gradient `dx` of what was taken from that of what came of it, in the order of the
    /// places: sources with as many elements as `takers` knows, behind each other, of `inner` numbers
    /// an element.
    ///
    /// # Errors
    /// The device fails.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "called by `look_up` alone")]
    fn give_back(
        dx: &mut Buffer<E, Self>,
        dy: &Buffer<E, Self>,
        inner: usize,
        takers: Takers,
    ) -> Result<(), Self::Err>;

    /// Lends the buffer's values. On the processor this copies nothing.
    ///
    /// # Errors
    /// The device cannot be read.
    fn look<R>(buffer: &Buffer<E, Self>, look: impl FnOnce(&[E]) -> R) -> Result<R, NnError>;

    /// Lends the buffer's values to be changed. On the processor this copies nothing.
    ///
    /// # Errors
    /// The device cannot be read or written.
    fn change(buffer: &mut Buffer<E, Self>, change: impl FnOnce(&mut [E])) -> Result<(), NnError>;
}

macro_rules! memory_of_cpu {
    ($precision:ty) => {
        #[allow(private_interfaces, reason = "called by `look_up` alone")]
        fn give_back(
            dx: &mut Buffer<$precision, Self>,
            dy: &Buffer<$precision, Self>,
            inner: usize,
            takers: Takers,
        ) -> Result<(), Self::Err> {
            takers.give_back(dx, dy, inner);
            Ok(())
        }

        fn look<R>(
            buffer: &Buffer<$precision, Self>,
            look: impl FnOnce(&[$precision]) -> R,
        ) -> Result<R, NnError> {
            Ok(look(buffer))
        }

        fn change(
            buffer: &mut Buffer<$precision, Self>,
            change: impl FnOnce(&mut [$precision]),
        ) -> Result<(), NnError> {
            change(buffer);
            Ok(())
        }
    };
}

macro_rules! on_cpu {
    ($precision:ty) => {
        impl Backend<$precision> for Cpu {
            #[allow(private_interfaces, reason = "called by `Pass` alone")]
            fn run(
                layer: &dyn DynLayer,
                pass: &mut Pass<'_, $precision, Self>,
                x: Flow<$precision, Self>,
            ) -> Result<Flow<$precision, Self>, Fault> {
                layer.compute(pass, x)
            }

            memory_of_cpu!($precision);
        }
    };
}
on_cpu!(f32);
#[cfg(feature = "trial")]
on_cpu!(f64);

#[cfg(any(feature = "trial", feature = "cuda"))]
macro_rules! in_half {
    () => {
        #[allow(private_interfaces, reason = "called by `Pass` alone")]
        fn run(
            layer: &dyn DynLayer,
            pass: &mut Pass<'_, Half, Self>,
            x: Flow<Half, Self>,
        ) -> Result<Flow<Half, Self>, Fault> {
            super::mixed::run(layer, pass, x, |pass, x| layer.compute(pass, x))
        }

        fn softmax(x: Taped<Rank4, Half, Self>) -> Result<Taped<Rank4, Half, Self>, Self::Err> {
            super::mixed::softmax(x)
        }
    };
}

#[cfg(feature = "trial")]
impl Backend<Half> for Cpu {
    in_half!();
    memory_of_cpu!(Half);
}

#[cfg(feature = "cuda")]
macro_rules! memory_of_cuda {
    ($precision:ty) => {
        #[allow(private_interfaces, reason = "called by `look_up` alone")]
        fn give_back(
            dx: &mut Buffer<$precision, Self>,
            dy: &Buffer<$precision, Self>,
            inner: usize,
            takers: Takers,
        ) -> Result<(), Self::Err> {
            super::cuda::give_back::<$precision>(dx, dy, inner, takers)
        }

        fn look<R>(
            buffer: &Buffer<$precision, Self>,
            look: impl FnOnce(&[$precision]) -> R,
        ) -> Result<R, NnError> {
            let device = buffer.device();
            let host =
                device.dtoh_sync_copy(buffer).map_err(|e| NnError::device("copy from it", &e))?;
            Ok(look(&host))
        }

        fn change(
            buffer: &mut Buffer<$precision, Self>,
            change: impl FnOnce(&mut [$precision]),
        ) -> Result<(), NnError> {
            let device = buffer.device();
            let mut host =
                device.dtoh_sync_copy(buffer).map_err(|e| NnError::device("copy from it", &e))?;
            change(&mut host);
            device.htod_sync_copy_into(&host, buffer).map_err(|e| NnError::device("copy to it", &e))
        }
    };
}

#[cfg(feature = "cuda")]
impl Backend<f32> for Cuda {
    #[allow(private_interfaces, reason = "called by `Pass` alone")]
    fn run(
        layer: &dyn DynLayer,
        pass: &mut Pass<'_, f32, Self>,
        x: Flow<f32, Self>,
    ) -> Result<Flow<f32, Self>, Fault> {
        layer.compute(pass, x)
    }

    memory_of_cuda!(f32);
}

#[cfg(feature = "cuda")]
impl Backend<Half> for Cuda {
    in_half!();
    memory_of_cuda!(Half);
}
