//! Gradients divided by the size of all before them.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// Adagrad (Duchi, Hazan and Singer 2011, JMLR 12), as PyTorch's: `s ← s + g²`,
/// `w ← w − lr/(1 + (t−1)·η) · g/(√s + ε)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// η, by which the rate falls from update to update. Default 0.
    pub lr_decay: f64,
    /// What s begins with. Default 0.
    pub initial_accumulator_value: f64,
    /// ε, outside the root. Default 1e-10.
    pub eps: f64,
    /// λ, as L2 on the gradient, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { lr_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }
}

impl Rule for Adagrad {
    fn moments(&self) -> usize {
        1
    }

    fn begin(&self, _: usize) -> f32 {
        self.initial_accumulator_value as f32
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        let before = step.update.saturating_sub(1) as f64;
        Box::new(AdagradUpdate {
            rate: (step.rate / (1.0 + before * self.lr_decay)) as f32,
            eps: self.eps as f32,
            l2: step.decay as f32,
        })
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn default_learning_rate(&self) -> f64 {
        1e-2
    }
}

struct AdagradUpdate {
    /// lr / (1 + (t−1)·η)
    rate: f32,
    eps: f32,
    l2: f32,
}

impl Update for AdagradUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [sum] = moments else { return };
        for ((w, &g), s) in weights.iter_mut().zip(gradient).zip(sum.iter_mut()) {
            let g = g + self.l2 * *w;
            *s += g * g;
            *w -= self.rate * g / (s.sqrt() + self.eps);
        }
    }
}
