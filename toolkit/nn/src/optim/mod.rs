//! Optimisers: dfdx's update kernels with moments of our own, so that a training run can be saved
//! and go on exactly.

mod adam;
mod rule;
mod sgd;
mod state;

use serde::{Deserialize, Serialize};

pub use adam::{Adam, AdamW};
pub(crate) use rule::apply;
pub use rule::{Rule, Step, Update};
pub use sgd::Sgd;
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
    /// What it does.
    pub fn rule(&self) -> &dyn Rule {
        match self {
            Self::Sgd(rule) => rule,
            Self::Adam(rule) => rule,
            Self::AdamW(rule) => rule,
        }
    }

    /// Where the playbook starts: 1e-1 for SGD, 1e-3 for the Adam family.
    pub fn default_learning_rate(&self) -> f64 {
        self.rule().default_learning_rate()
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
        self.rule().weight_decay()
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
