//! Where arithmetic runs.

use serde::{Deserialize, Serialize};

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
