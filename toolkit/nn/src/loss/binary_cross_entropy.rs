//! How unlikely labels are, each for itself.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, each_value, misfit};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// `−p·y·ln σ(x) − (1−y)·ln(1 − σ(x))`, averaged over all outputs: PyTorch's `BCEWithLogitsLoss`.
/// Outputs [N, …, C] are logits, C labels of which any number may hold; a value from 0 to 1 for
/// each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    /// p, one for each label: above 1 it counts for more where the label holds. Default 1.
    pub pos_weight: Option<Vec<f32>>,
}

impl BinaryCrossEntropy {
    fn check_weights(&self, labels: usize) -> Result<(), NnError> {
        match &self.pos_weight {
            Some(weights) => misfit::weights("pos_weight", weights, labels, "label"),
            None => Ok(()),
        }
    }

    fn one(&self, x: f64, y: f64, label: usize) -> (f64, f64) {
        let positive =
            self.pos_weight.as_ref().and_then(|w| w.get(label)).map_or(1.0, |w| f64::from(*w));
        let weight = 1.0 + (positive - 1.0) * y;
        // −ln σ(x) = ln(1 + e^−x), without overflow; `max` passes NaN by, and `exp` does not.
        let small = (-x.abs()).exp();
        let softplus = small.ln_1p() + (-x).max(0.0);
        let negative = if x < 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
        ((1.0 - y) * x + weight * softplus, 1.0 - y - weight * negative)
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        let device = outputs.device();
        let labels = outputs.shape().last().copied().unwrap_or(1).max(1);
        self.check_weights(labels)?;
        each_value::on_dfdx(self.name(), outputs, targets, |x, y| {
            let Some(positive) = &self.pos_weight else { return x.try_bce_with_logits(y) };
            // dfdx has −ln σ(x) as the loss where the label holds, with the right slope at 0.
            let len = y.shape().0;
            let of = |value: f32| E::of(f64::from(value));
            let weights = (0..len).map(|i| of(positive[i % labels] - 1.0)).collect();
            let weights = device.try_tensor_from_vec(weights, (len,))?.try_mul(y.clone())?;
            let weights = weights.try_add(E::of(1.0))?;
            let absent = y.try_negate()?.try_add(E::of(1.0))?;
            let linear = x.with_empty_tape().try_mul(absent)?;
            let holds = device.try_ones_like(&(len,))?;
            x.try_bce_with_logits(holds)?.try_mul(weights)?.try_add(linear)
        })
    }
}

impl Objective for BinaryCrossEntropy {
    fn name(&self) -> &str {
        "BinaryCrossEntropy"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, output: &[usize]) -> Result<(), NnError> {
        self.check_weights(output.last().copied().unwrap_or(1))
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        self.check_weights(outputs.last())?;
        let one = |x, y, label| self.one(x, y, label);
        each_value::with_gradient(self.name(), outputs, targets, gradient, one)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        self.check_weights(outputs.last())?;
        each_value::sum(self.name(), outputs, targets, |x, y, label| self.one(x, y, label))
    }
}
