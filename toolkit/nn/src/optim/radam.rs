//! Adam that waits until it knows the second moment.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// Rectified Adam (Liu et al. 2020, arXiv:1908.03265), as PyTorch's. With `m` and `v` as in Adam,
/// `ρ∞ = 2/(1−β₂) − 1` and `ρₜ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ)`: while `ρₜ ≤ 5`, in the first five updates
/// of β₂ = 0.999, `w ← w − lr·m/(1−β₁ᵗ)`; then
/// `w ← w − lr·m/(1−β₁ᵗ) · r·√(1−β₂ᵗ)/(√v + ε)` with
/// `r = √((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ))`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RAdam {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε. Default 1e-8.
    pub eps: f64,
    /// λ, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
    /// Whether λ shrinks the weights, as in AdamW, instead of joining the gradient. Default false.
    pub decoupled_weight_decay: bool,
}

impl Default for RAdam {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false }
    }
}

impl Rule for RAdam {
    fn moments(&self) -> usize {
        2
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        let [beta1, beta2] = self.betas;
        let beta1 = step.momentum.unwrap_or(beta1);
        let t = i32::try_from(step.update).unwrap_or(i32::MAX);
        let correction = 1.0 - beta2.powi(t);
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - 2.0 * f64::from(t) * beta2.powi(t) / correction;
        let rate = step.rate / (1.0 - beta1.powi(t));
        let rectified = (length > 5.0).then(|| {
            let variance = (length - 4.0) * (length - 2.0) * longest
                / ((longest - 4.0) * (longest - 2.0) * length);
            (rate * variance.sqrt() * correction.sqrt()) as f32
        });
        let decoupled = self.decoupled_weight_decay;
        Box::new(RAdamUpdate {
            fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
            keep: beta2 as f32,
            rate: rate as f32,
            rectified,
            eps: self.eps as f32,
            l2: if decoupled { 0.0 } else { step.decay as f32 },
            shrink: if decoupled { (step.rate * step.decay) as f32 } else { 0.0 },
        })
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas[0])
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }
}

struct RAdamUpdate {
    /// 1 − β₁ and 1 − β₂
    fresh: [f32; 2],
    /// β₂
    keep: f32,
    /// lr / (1 − β₁ᵗ)
    rate: f32,
    /// The same times r·√(1 − β₂ᵗ), once the second moment is known well enough.
    rectified: Option<f32>,
    eps: f32,
    l2: f32,
    /// lr·λ
    shrink: f32,
}

impl Update for RAdamUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [m, v] = moments else { return };
        let [fresh1, fresh2] = self.fresh;
        for (((w, &g), m), v) in
            weights.iter_mut().zip(gradient).zip(m.iter_mut()).zip(v.iter_mut())
        {
            let g = g + self.l2 * *w;
            *m += fresh1 * (g - *m);
            *v = self.keep * *v + fresh2 * g * g;
            let by = match self.rectified {
                Some(rate) => rate * *m / (v.sqrt() + self.eps),
                None => self.rate * *m,
            };
            *w -= self.shrink * *w + by;
        }
    }
}
