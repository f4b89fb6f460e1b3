//! Adam, with weight decay as L2 or decoupled.

use serde::{Deserialize, Serialize};
use trainbook_core::simd::wide;

use super::rule::{Rule, Step, Update};

/// Adam (Kingma and Ba 2015, arXiv:1412.6980), as PyTorch's: `m ← β₁m + (1−β₁)g`,
/// `v ← β₂v + (1−β₂)g²`, `w ← w − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε. Default 1e-8.
    pub eps: f64,
    /// λ, as L2 on the gradient, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101), as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε, added to the denominator. Default 1e-8.
    pub eps: f64,
    /// λ in `w ← w − lr·λ·w`, for weights only: biases and norms do not decay. Default 1e-2.
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

impl Rule for Adam {
    fn moments(&self) -> usize {
        2
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        Box::new(AdamUpdate {
            l2: step.decay as f32,
            ..AdamUpdate::new(self.betas, self.eps, step)
        })
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas[0])
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }
}

impl Rule for AdamW {
    fn moments(&self) -> usize {
        2
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        Box::new(AdamUpdate {
            shrink: (step.rate * step.decay) as f32,
            ..AdamUpdate::new(self.betas, self.eps, step)
        })
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas[0])
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }
}

struct AdamUpdate {
    /// 1 − β₁ and 1 − β₂
    fresh: [f32; 2],
    /// β₂
    keep: f32,
    /// lr / (1 − β₁ᵗ)
    rate: f32,
    /// 1 / √(1 − β₂ᵗ)
    correction: f32,
    eps: f32,
    l2: f32,
    /// lr·λ, and not 1 − lr·λ: rounded to f32, that is off by as much as 3e-8 in every step.
    shrink: f32,
}

impl AdamUpdate {
    /// Bias corrections in f64: in f32, 1 − β₂ᵗ has lost half its digits at the first updates.
    fn new([beta1, beta2]: [f64; 2], eps: f64, step: Step) -> Self {
        let beta1 = step.momentum.unwrap_or(beta1);
        let t = i32::try_from(step.update).unwrap_or(i32::MAX);
        Self {
            fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
            keep: beta2 as f32,
            rate: (step.rate / (1.0 - beta1.powi(t))) as f32,
            correction: (1.0 / (1.0 - beta2.powi(t)).sqrt()) as f32,
            eps: eps as f32,
            l2: 0.0,
            shrink: 0.0,
        }
    }
}

impl Update for AdamUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [m, v] = moments else { return };
        let [fresh1, fresh2] = self.fresh;
        wide(
            #[inline(always)]
            || {
                for (((w, &g), m), v) in
                    weights.iter_mut().zip(gradient).zip(m.iter_mut()).zip(v.iter_mut())
                {
                    let g = g + self.l2 * *w;
                    *m += fresh1 * (g - *m);
                    *v = self.keep * *v + fresh2 * g * g;
                    let by = self.rate * *m / (v.sqrt() * self.correction + self.eps);
                    *w -= self.shrink * *w + by;
                }
            },
        );
    }
}
