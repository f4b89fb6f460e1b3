//! The absolute difference.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, each_value};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// `|x − y|`, averaged over all outputs: PyTorch's `L1Loss`. Where both are equal the slope is 0.
/// Outputs [N, …], a value for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanAbsoluteError;

impl MeanAbsoluteError {
    fn one(x: f64, y: f64, _: usize) -> (f64, f64) {
        let difference = x - y;
        (difference.abs(), if difference == 0.0 { 0.0 } else { difference.signum() })
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        each_value::on_dfdx(self.name(), outputs, targets, |x, y| x.try_sub(y)?.try_abs())
    }
}

impl Objective for MeanAbsoluteError {
    fn name(&self) -> &str {
        "MeanAbsoluteError"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        each_value::with_gradient(self.name(), outputs, targets, gradient, Self::one)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        each_value::sum(self.name(), outputs, targets, Self::one)
    }
}
