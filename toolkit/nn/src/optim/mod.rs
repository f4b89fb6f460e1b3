//! How weights are updated, with moments of our own, so that a training run can be saved and go on
//! exactly.

mod adagrad;
mod adam;
mod group;
mod lion;
mod nadam;
mod radam;
mod rmsprop;
mod rule;
mod sgd;
mod state;

use serde::{Deserialize, Serialize};

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use group::{ParameterGroup, tensors_of};
pub(crate) use group::{Treatment, thawed, treatments};
pub use lion::Lion;
pub use nadam::NAdam;
pub use radam::RAdam;
pub use rmsprop::RMSprop;
pub(crate) use rule::apply;
pub use rule::{Rule, Step, Update};
pub use sgd::Sgd;
pub(crate) use state::OptimizerState;

/// How weights are updated. Reads and writes itself as a JSON object whose `optimizer` is PyTorch's
/// name: `{"optimizer": "AdamW", "weight_decay": 0.1}`; what is left out is at its default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "optimizer")]
#[non_exhaustive]
pub enum Optimizer {
    /// Stochastic gradient descent.
    #[serde(rename = "SGD")]
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Adam with Nesterov's momentum.
    NAdam(NAdam),
    /// Adam that waits until it knows the second moment.
    RAdam(RAdam),
    /// The sign of a momentum.
    Lion(Lion),
    /// Gradients divided by their running size.
    RMSprop(RMSprop),
    /// Gradients divided by the size of all before them.
    Adagrad(Adagrad),
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
            Self::NAdam(rule) => rule,
            Self::RAdam(rule) => rule,
            Self::Lion(rule) => rule,
            Self::RMSprop(rule) => rule,
            Self::Adagrad(rule) => rule,
        }
    }

    /// Where to start: 1e-1 for SGD, 1e-3 for Adam, AdamW and RAdam, 2e-3 for NAdam, 1e-2 for
    /// RMSprop and Adagrad (PyTorch's defaults), 1e-4 for Lion.
    pub fn default_learning_rate(&self) -> f64 {
        self.rule().default_learning_rate()
    }

    /// The name used in stored records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
            Self::NAdam(_) => "nadam",
            Self::RAdam(_) => "radam",
            Self::Lion(_) => "lion",
            Self::RMSprop(_) => "rmsprop",
            Self::Adagrad(_) => "adagrad",
        }
    }

    /// The momentum that a schedule may cycle: μ of SGD and RMSprop, β₁ of Adam, AdamW, RAdam and Lion;
    /// `None` for NAdam, whose momentum follows a course of its own, for Adagrad, and for RMSprop
    /// without momentum.
    pub fn momentum(&self) -> Option<f64> {
        self.rule().momentum()
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
into_optimizer!(Sgd, Adam, AdamW, NAdam, RAdam, Lion, RMSprop, Adagrad);
