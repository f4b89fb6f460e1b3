//! Optimisers: dfdx's update kernels with moments of our own, so that a training run can be saved
//! and go on exactly.

mod state;

use serde::{Deserialize, Serialize};

pub(crate) use state::OptimizerState;

/// How weights are updated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::AdamW(AdamW::default())
    }
}

impl Optimizer {
    /// Where the playbook starts: 1e-1 for SGD, 1e-3 for the Adam family.
    pub fn default_learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(_) => 1e-1,
            Self::Adam(_) | Self::AdamW(_) => 1e-3,
        }
    }

    /// The name used in stored records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
        }
    }

    /// The strength of weight decay.
    pub fn weight_decay(&self) -> f64 {
        match self {
            Self::Sgd(o) => o.weight_decay,
            Self::Adam(_) => 0.0,
            Self::AdamW(o) => o.weight_decay,
        }
    }
}

/// Stochastic gradient descent, as PyTorch's: `v ← μ·v + g + λ·w`, `w ← w − lr·v`; with Nesterov's
/// momentum `w ← w − lr·(g + λ·w + μ·v)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// μ. Default 0.9.
    pub momentum: f64,
    /// Whether momentum looks ahead. Default false.
    pub nesterov: bool,
    /// λ, as L2 on the gradient of weights of rank 2 or more. Default 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

/// Adam (Kingma and Ba 2015, arXiv:1412.6980), as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// Added to the denominator. Default 1e-8.
    pub eps: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8 }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101), as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// Added to the denominator. Default 1e-8.
    pub eps: f64,
    /// λ in `w ← w − lr·λ·w`, for weights of rank 2 or more: biases and norms do not decay. Default
    /// 1e-2.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 1e-2 }
    }
}

impl AdamW {
    /// The same with another weight decay.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

macro_rules! into_optimizer {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Optimizer {
            fn from(optimizer: $kind) -> Self {
                Self::$kind(optimizer)
            }
        }
    )* };
}
into_optimizer!(Sgd, Adam, AdamW);
