//! Squared near, absolute far.

use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, each_value};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// With `d = x − y`: `½d²` where `|d| < δ`, else `δ·(|d| − ½δ)`, averaged over all outputs (Huber
/// 1964): PyTorch's `HuberLoss`. Outputs [N, …], a value for each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    /// δ, in the unit of the targets. Default 1.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Huber {
    fn one(&self, x: f64, y: f64) -> (f64, f64) {
        let (difference, delta) = (x - y, self.delta);
        if difference.abs() < delta {
            (0.5 * difference * difference, difference)
        } else {
            (delta * (difference.abs() - 0.5 * delta), delta * difference.signum())
        }
    }

    fn check_delta(&self) -> Result<(), NnError> {
        if self.delta > 0.0 && self.delta.is_finite() {
            return Ok(());
        }
        Err(NnError::Setting {
            setting: "delta",
            value: self.delta.to_string(),
            expected: "a positive number".to_owned(),
        })
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        self.check_delta()?;
        each_value::on_dfdx(self.name(), outputs, targets, |x, y| x.try_huber_error(y, self.delta))
    }
}

impl Objective for Huber {
    fn name(&self) -> &str {
        "Huber"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn check(&self, _: &[usize]) -> Result<(), NnError> {
        self.check_delta()
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        self.check_delta()?;
        let one = |x, y, _| self.one(x, y);
        each_value::with_gradient(self.name(), outputs, targets, gradient, one)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        self.check_delta()?;
        each_value::sum(self.name(), outputs, targets, |x, y, _| self.one(x, y))
    }
}
