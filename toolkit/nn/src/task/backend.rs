//! Where arithmetic runs, and how the host reaches a device's buffers.

#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;
use dfdx::tensor::{Cpu, Storage};
use serde::{Deserialize, Serialize};

use super::threads::Shareable;
use crate::NnError;

/// A device to train on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// The processor. Bit-identical for any number of threads.
    #[default]
    Cpu,
    /// A CUDA device by its number.
    Cuda(usize),
}

impl Device {
    /// The CUDA device with this number. Needs the feature `cuda`; without it, building a trainer
    /// on it is an error.
    pub fn cuda(number: usize) -> Self {
        Self::Cuda(number)
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// A device's memory of f32 values.
pub type Buffer<D> = <D as Storage<f32>>::Vec;

/// A dfdx device whose gradient buffers the host can look at and change.
pub trait Backend: dfdx::tensor_ops::Device<f32> + Shareable {
    /// Lends the buffer's values. On the processor this copies nothing.
    fn look<R>(buffer: &Buffer<Self>, look: impl FnOnce(&[f32]) -> R) -> Result<R, NnError>;

    /// Lends the buffer's values to be changed. On the processor this copies nothing.
    fn change(buffer: &mut Buffer<Self>, change: impl FnOnce(&mut [f32])) -> Result<(), NnError>;
}

impl Backend for Cpu {
    fn look<R>(buffer: &Buffer<Self>, look: impl FnOnce(&[f32]) -> R) -> Result<R, NnError> {
        Ok(look(buffer))
    }

    fn change(buffer: &mut Buffer<Self>, change: impl FnOnce(&mut [f32])) -> Result<(), NnError> {
        change(buffer);
        Ok(())
    }
}

#[cfg(feature = "cuda")]
impl Backend for Cuda {
    fn look<R>(buffer: &Buffer<Self>, look: impl FnOnce(&[f32]) -> R) -> Result<R, NnError> {
        let device = buffer.device();
        let host =
            device.dtoh_sync_copy(buffer).map_err(|e| NnError::device("copy from it", &e))?;
        Ok(look(&host))
    }

    fn change(buffer: &mut Buffer<Self>, change: impl FnOnce(&mut [f32])) -> Result<(), NnError> {
        let device = buffer.device();
        let mut host =
            device.dtoh_sync_copy(buffer).map_err(|e| NnError::device("copy from it", &e))?;
        change(&mut host);
        device.htod_sync_copy_into(&host, buffer).map_err(|e| NnError::device("copy to it", &e))
    }
}
