//! Stochastic gradient descent.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// Stochastic gradient descent, as PyTorch's: `v ← μ·v + (1 − τ)·(g + λ·w)`, at the first update
/// `v ← g + λ·w`, and `w ← w − lr·v`; without momentum `w ← w − lr·(g + λ·w)`; with Nesterov's momentum `w ← w − lr·(g + λ·w + μ·v)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// μ. Default 0.9.
    pub momentum: f64,
    /// τ. Default 0.
    pub dampening: f64,
    /// Whether momentum looks ahead. Default false.
    pub nesterov: bool,
    /// λ, as L2 on the gradient, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Rule for Sgd {
    fn moments(&self) -> usize {
        1
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        let dampening = if step.update <= 1 { 0.0 } else { self.dampening };
        Box::new(SgdUpdate {
            rate: step.rate as f32,
            momentum: step.momentum.unwrap_or(self.momentum) as f32,
            fresh: (1.0 - dampening) as f32,
            nesterov: self.nesterov,
            decay: step.decay as f32,
        })
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn default_learning_rate(&self) -> f64 {
        1e-1
    }
}

struct SgdUpdate {
    rate: f32,
    momentum: f32,
    fresh: f32,
    nesterov: bool,
    decay: f32,
}

impl Update for SgdUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [velocity] = moments else { return };
        if self.momentum == 0.0 {
            // As in PyTorch, what it was stays for when there is momentum again.
            for (w, &g) in weights.iter_mut().zip(gradient) {
                *w -= self.rate * (g + self.decay * *w);
            }
            return;
        }
        for ((w, &g), v) in weights.iter_mut().zip(gradient).zip(velocity.iter_mut()) {
            let g = g + self.decay * *w;
            *v = self.momentum * *v + self.fresh * g;
            *w -= self.rate * if self.nesterov { g + self.momentum * *v } else { *v };
        }
    }
}
