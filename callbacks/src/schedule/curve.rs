//! The formulas, without warmup.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// A learning rate as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Curve {
    Constant { lr: f64 },
    OneCycle { max_lr: f64 },
    Cosine { max_lr: f64 },
    Step { lr: f64, every_epochs: u64, gamma: f64 },
}

impl Curve {
    /// The rate at `step` (from 0) of `total`; behind the end, the last rate.
    pub(super) fn rate_at(self, step: u64, total: u64, steps_per_epoch: u64, min_lr: f64) -> f64 {
        let total = total.max(1);
        let step = step.min(total - 1);
        match self {
            Self::Constant { lr } => lr,
            Self::OneCycle { max_lr } => one_cycle(step, total, max_lr),
            Self::Cosine { max_lr } => anneal(max_lr, min_lr, step as f64 / total as f64),
            Self::Step { lr, every_epochs, gamma } => {
                let drops = step / every_epochs.saturating_mul(steps_per_epoch).max(1);
                lr * gamma.powf(drops as f64)
            }
        }
    }
}

/// PyTorch's `OneCycleLR`: the peak is at step `0.3 total − 1`, which need not be whole.
fn one_cycle(step: u64, total: u64, max_lr: f64) -> f64 {
    const PCT_START: f64 = 0.3;
    const DIV_FACTOR: f64 = 25.0;
    const FINAL_DIV_FACTOR: f64 = 1e4;
    let first = max_lr / DIV_FACTOR;
    let last = first / FINAL_DIV_FACTOR;
    let (step, end) = (step as f64, total as f64 - 1.0);
    let peak = PCT_START * total as f64 - 1.0;
    if step <= peak {
        anneal(first, max_lr, step / peak)
    } else {
        anneal(max_lr, last, (step - peak) / (end - peak))
    }
}

/// From `start` to `end` along a half cosine, `part` of the way.
fn anneal(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) / 2.0 * ((PI * part).cos() + 1.0)
}
