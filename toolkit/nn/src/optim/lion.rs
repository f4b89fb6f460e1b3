//! The sign of a momentum.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2):
/// `w ← w − lr·(sign(β₁m + (1−β₁)g) + λ·w)`, then `m ← β₂m + (1−β₂)g`. Every weight moves by the
/// rate, so the paper takes a rate 3 to 10 times below AdamW's and a decay as much above. PyTorch
/// has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// Weight of the momentum in the sign, and its decay. Default 0.9 and 0.99.
    pub betas: [f64; 2],
    /// λ, apart from the gradient as in AdamW, for weights only: biases and norms do not decay.
    /// Default 0.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { betas: [0.9, 0.99], weight_decay: 0.0 }
    }
}

impl Rule for Lion {
    fn moments(&self) -> usize {
        1
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        let [beta1, beta2] = self.betas;
        let beta1 = step.momentum.unwrap_or(beta1);
        Box::new(LionUpdate {
            rate: step.rate as f32,
            fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
            shrink: (step.rate * step.decay) as f32,
        })
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas[0])
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn default_learning_rate(&self) -> f64 {
        1e-4
    }
}

struct LionUpdate {
    rate: f32,
    /// 1 − β₁ and 1 − β₂
    fresh: [f32; 2],
    /// lr·λ
    shrink: f32,
}

impl Update for LionUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [m] = moments else { return };
        let [fresh1, fresh2] = self.fresh;
        for ((w, &g), m) in weights.iter_mut().zip(gradient).zip(m.iter_mut()) {
            let direction = *m + fresh1 * (g - *m);
            // `signum` of 0 is 1; here a weight without a gradient stays where it is.
            let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
            *w -= self.shrink * *w + self.rate * sign;
            *m += fresh2 * (g - *m);
        }
    }
}
