//! Adam with Nesterov's momentum.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// Adam that looks ahead (Dozat 2016, "Incorporating Nesterov Momentum into Adam"), as PyTorch's:
/// `μₜ = β₁·(1 − ½·0.96^(t·ψ))`, `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
/// `w ← w − lr·((1−μₜ)/(1−Πμ)·g + μₜ₊₁/(1−Πμ·μₜ₊₁)·m) / (√(v/(1−β₂ᵗ)) + ε)`, where Πμ is the
/// product of μ₁ to μₜ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NAdam {
    /// Decay of the two moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// ε. Default 1e-8.
    pub eps: f64,
    /// ψ, by which momentum grows towards β₁. Default 4e-3.
    pub momentum_decay: f64,
    /// λ, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
    /// Whether λ shrinks the weights, as in AdamW, instead of joining the gradient. Default false.
    pub decoupled_weight_decay: bool,
}

impl Default for NAdam {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            eps: 1e-8,
            momentum_decay: 4e-3,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
        }
    }
}

impl NAdam {
    /// μ of update `t`.
    fn momentum(&self, t: u64) -> f64 {
        self.betas[0] * (1.0 - 0.5 * 0.96_f64.powf(t as f64 * self.momentum_decay))
    }

    /// μ₁ · … · μₜ. Follows from the number of the update alone, so it need not be saved; the
    /// product ends where it is too small to change 1 − Πμ, after some 400 factors.
    fn product(&self, t: u64) -> f64 {
        let mut product = 1.0;
        for i in 1..=t {
            product *= self.momentum(i);
            if product < f64::EPSILON / 4.0 {
                return 0.0;
            }
        }
        product
    }
}

impl Rule for NAdam {
    fn moments(&self) -> usize {
        2
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        let [beta1, beta2] = self.betas;
        let t = i32::try_from(step.update).unwrap_or(i32::MAX);
        let (now, next) = (self.momentum(step.update), self.momentum(step.update + 1));
        let product = self.product(step.update);
        let decoupled = self.decoupled_weight_decay;
        Box::new(NAdamUpdate {
            fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
            keep: beta2 as f32,
            by_gradient: (step.rate * (1.0 - now) / (1.0 - product)) as f32,
            by_moment: (step.rate * next / (1.0 - product * next)) as f32,
            correction: (1.0 / (1.0 - beta2.powi(t)).sqrt()) as f32,
            eps: self.eps as f32,
            l2: if decoupled { 0.0 } else { step.decay as f32 },
            shrink: if decoupled { (step.rate * step.decay) as f32 } else { 0.0 },
        })
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn default_learning_rate(&self) -> f64 {
        2e-3
    }
}

struct NAdamUpdate {
    /// 1 − β₁ and 1 − β₂
    fresh: [f32; 2],
    /// β₂
    keep: f32,
    /// lr·(1−μₜ)/(1−Πμ)
    by_gradient: f32,
    /// lr·μₜ₊₁/(1−Πμ·μₜ₊₁)
    by_moment: f32,
    /// 1 / √(1 − β₂ᵗ)
    correction: f32,
    eps: f32,
    l2: f32,
    /// lr·λ
    shrink: f32,
}

impl Update for NAdamUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let [m, v] = moments else { return };
        let [fresh1, fresh2] = self.fresh;
        for (((w, &g), m), v) in
            weights.iter_mut().zip(gradient).zip(m.iter_mut()).zip(v.iter_mut())
        {
            let g = g + self.l2 * *w;
            *m += fresh1 * (g - *m);
            *v = self.keep * *v + fresh2 * g * g;
            let ahead = self.by_gradient * g + self.by_moment * *m;
            *w -= self.shrink * *w + ahead / (v.sqrt() * self.correction + self.eps);
        }
    }
}
