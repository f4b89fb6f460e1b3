//! Gradients divided by their running size.

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Step, Update};

/// RMSprop (Tieleman and Hinton 2012, lecture 6.5), as PyTorch's: `v ← αv + (1−α)g²`,
/// `d = g/(√v + ε)`, centred `d = g/(√(v − m²) + ε)` with `m ← αm + (1−α)g` (Graves 2013,
/// arXiv:1308.0850); `w ← w − lr·d`, with momentum `b ← μb + d` and `w ← w − lr·b`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RMSprop {
    /// α. Default 0.99.
    pub alpha: f64,
    /// ε, outside the root. Default 1e-8.
    pub eps: f64,
    /// μ. Default 0.
    pub momentum: f64,
    /// Whether to divide by the deviation instead of the size. Default false.
    pub centered: bool,
    /// λ, as L2 on the gradient, for weights only: biases and norms do not decay. Default 0.
    pub weight_decay: f64,
}

impl Default for RMSprop {
    fn default() -> Self {
        Self { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl Rule for RMSprop {
    /// v, then b with momentum, then m if centred.
    fn moments(&self) -> usize {
        1 + usize::from(self.momentum != 0.0) + usize::from(self.centered)
    }

    fn step(&self, step: Step) -> Box<dyn Update> {
        Box::new(RMSpropUpdate {
            rate: step.rate as f32,
            keep: self.alpha as f32,
            fresh: (1.0 - self.alpha) as f32,
            eps: self.eps as f32,
            momentum: self.momentum().map(|own| step.momentum.unwrap_or(own) as f32),
            centered: self.centered,
            l2: step.decay as f32,
        })
    }

    /// None without, because then there is no moment for it.
    fn momentum(&self) -> Option<f64> {
        (self.momentum != 0.0).then_some(self.momentum)
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn default_learning_rate(&self) -> f64 {
        1e-2
    }
}

struct RMSpropUpdate {
    rate: f32,
    /// α
    keep: f32,
    /// 1 − α
    fresh: f32,
    eps: f32,
    momentum: Option<f32>,
    centered: bool,
    l2: f32,
}

impl RMSpropUpdate {
    fn square(&self, v: &mut f32, g: f32) -> f32 {
        *v = self.keep * *v + self.fresh * g * g;
        *v
    }

    /// v − m², which rounding must not make negative; NaN stays NaN.
    fn variance(&self, v: &mut f32, m: &mut f32, g: f32) -> f32 {
        let square = self.square(v, g);
        *m += self.fresh * (g - *m);
        let variance = square - *m * *m;
        if variance < 0.0 { 0.0 } else { variance }
    }

    fn direction(&self, g: f32, square: f32) -> f32 {
        g / (square.sqrt() + self.eps)
    }
}

/// Where momentum takes a direction. Without it what there was stays, as in PyTorch, for when there is
/// momentum again.
fn moved(b: &mut f32, momentum: f32, direction: f32) -> f32 {
    if momentum == 0.0 {
        return direction;
    }
    *b = momentum * *b + direction;
    *b
}

impl Update for RMSpropUpdate {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]) {
        let pairs = weights.iter_mut().zip(gradient);
        match (moments, self.momentum, self.centered) {
            ([v], None, false) => {
                for ((w, &g), v) in pairs.zip(v.iter_mut()) {
                    let g = g + self.l2 * *w;
                    *w -= self.rate * self.direction(g, self.square(v, g));
                }
            }
            ([v, b], Some(momentum), false) => {
                for (((w, &g), v), b) in pairs.zip(v.iter_mut()).zip(b.iter_mut()) {
                    let g = g + self.l2 * *w;
                    *w -= self.rate * moved(b, momentum, self.direction(g, self.square(v, g)));
                }
            }
            ([v, m], None, true) => {
                for (((w, &g), v), m) in pairs.zip(v.iter_mut()).zip(m.iter_mut()) {
                    let g = g + self.l2 * *w;
                    *w -= self.rate * self.direction(g, self.variance(v, m, g));
                }
            }
            ([v, b, m], Some(momentum), true) => {
                for ((((w, &g), v), b), m) in
                    pairs.zip(v.iter_mut()).zip(b.iter_mut()).zip(m.iter_mut())
                {
                    let g = g + self.l2 * *w;
                    *w -= self.rate * moved(b, momentum, self.direction(g, self.variance(v, m, g)));
                }
            }
            _ => {}
        }
    }
}
