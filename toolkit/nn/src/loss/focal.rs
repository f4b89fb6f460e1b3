//! How unlikely classes are, with less weight on those that are right already.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, misfit};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// `−w_y (1 − p_y)^γ ln p_y` of logits, with `p = softmax(x)`, averaged over all positions (Lin et
/// al. 2017, arXiv:1708.02002, there for one label; torchvision's `sigmoid_focal_loss` with
/// `reduction="mean"` is that one). Outputs are [N, C], a class for each row, or [N, T, C] (or of
/// higher rank), a class for each of the N·T positions. Where γ is 0 and there are no weights it is
/// [`CrossEntropy`](super::CrossEntropy); unlike there, weights do not change by what the mean
/// divides, and every position counts: none is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// γ, at least 0. Default 2.
    pub gamma: f64,
    /// w, one for each class: the paper's α. Default: all 1.
    pub weight: Option<Vec<f32>>,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 2.0, weight: None }
    }
}

impl Focal {
    fn check_options(&self, classes: usize) -> Result<(), NnError> {
        if !(self.gamma.is_finite() && self.gamma >= 0.0) {
            return Err(NnError::Setting {
                setting: "gamma",
                value: self.gamma.to_string(),
                expected: "a finite number, at least 0".to_owned(),
            });
        }
        match &self.weight {
            Some(weights) => misfit::weights("weight", weights, classes, "class"),
            None => Ok(()),
        }
    }

    /// The weight of a class.
    fn of(&self, class: u32) -> f64 {
        let own = self.weight.as_ref().and_then(|weights| weights.get(class as usize));
        own.map_or(1.0, |weight| f64::from(*weight))
    }

    /// The classes, if each exists.
    fn classes<'a>(
        &self,
        targets: &'a Targets,
        positions: usize,
        width: usize,
    ) -> Result<&'a [u32], NnError> {
        self.check_options(width)?;
        misfit::classes(self.name(), targets, positions, width, None)
    }

    /// What one position contributes to the sum; if asked for, with its gradient.
    fn one(&self, row: &[f32], class: u32, gradient: Option<(&mut [f32], f64)>) -> f64 {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let power = |x: f32| f64::from(x - largest).exp();
        let sum: f64 = row.iter().map(|x| power(*x)).sum();
        let log_p = f64::from(row[class as usize] - largest) - sum.ln();
        // 1 − p, without the cancellation.
        let rest = -log_p.exp_m1();
        let (gamma, weight) = (self.gamma, self.of(class));
        let focus = rest.powf(gamma);
        if let Some((gradient, scale)) = gradient {
            // d/d ln p of −(1 − p)^γ ln p.
            let slope = if gamma > 0.0 && rest > 0.0 {
                gamma * rest.powf(gamma - 1.0) * log_p.exp() * log_p - focus
            } else {
                -focus
            };
            let slope = slope * weight * scale;
            for (at, (g, x)) in gradient.iter_mut().zip(row).enumerate() {
                let hot = if at == class as usize { 1.0 } else { 0.0 };
                *g = (slope * (hot - power(*x) / sum)) as f32;
            }
        }
        -weight * focus * log_p
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        let width = outputs.shape().last().copied().unwrap_or(0).max(1);
        let positions = outputs.shape().iter().product::<usize>() / width;
        let classes = self.classes(targets, positions, width)?;
        let mut hot = vec![E::of(0.0); positions * width];
        let mut weights = Vec::with_capacity(positions);
        for (hot, &class) in hot.chunks_exact_mut(width).zip(classes) {
            hot[class as usize] = E::of(1.0);
            weights.push(E::of(-self.of(class) / positions as f64));
        }
        let device = outputs.device();
        let logits = outputs.rows().map_err(NnError::from_fault)?;
        let run = || {
            let hot = device.try_tensor_from_vec(hot, (positions, width))?;
            let weights = device.try_tensor_from_vec(weights, (positions,))?;
            let log_p = logits.try_log_softmax::<Axis<1>>()?.try_mul(hot)?;
            let log_p = log_p.try_sum::<_, Axis<1>>()?;
            let rest = log_p.with_empty_tape().try_exp()?.try_negate()?.try_add(E::of(1.0))?;
            // Away from 0, where a power below 1 has no slope.
            let rest = rest.try_clamp(NEVER_RIGHTER, 1.0)?;
            rest.try_powf(self.gamma)?.try_mul(log_p)?.try_mul(weights)?.try_sum()
        };
        run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
    }
}

/// The least `1 − p` that is told from 0 in dfdx's form; f32 tells none below 6e-8.
const NEVER_RIGHTER: f64 = 1e-9;

impl Objective for Focal {
    fn name(&self) -> &str {
        "Focal"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), NnError> {
        self.check_options(output.last().copied().unwrap_or(1))
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        let width = outputs.last().max(1);
        let classes = self.classes(targets, outputs.numbers().len() / width, width)?;
        let scale = 1.0 / classes.len() as f64;
        let rows = outputs.numbers().chunks_exact(width).zip(classes);
        let each = rows.zip(gradient.chunks_exact_mut(width));
        let one = |((row, class), gradient): ((&[f32], &u32), &mut [f32])| {
            self.one(row, *class, Some((gradient, scale)))
        };
        Ok(each.map(one).sum::<f64>() * scale)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        let width = outputs.last().max(1);
        let classes = self.classes(targets, outputs.numbers().len() / width, width)?;
        let rows = outputs.numbers().chunks_exact(width).zip(classes);
        let sum = rows.map(|(row, class)| self.one(row, *class, None)).sum();
        Ok((sum, classes.len() as f64))
    }
}
