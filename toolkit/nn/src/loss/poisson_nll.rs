//! How unlikely counts are.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, each_value};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// `eˣ − y·x`, averaged over all outputs: the negative log-likelihood of counts `y` under Poisson
/// distributions of mean `eˣ`, without the term `ln y!`, which does not depend on the network.
/// PyTorch's `PoissonNLLLoss` at its defaults (`log_input`, not `full`). Outputs [N, …], a value
/// for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoissonNll;

impl PoissonNll {
    fn one(x: f64, y: f64, _: usize) -> (f64, f64) {
        let mean = x.exp();
        (mean - y * x, mean - y)
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        each_value::on_dfdx(self.name(), outputs, targets, |x, y| {
            let product = x.with_empty_tape().try_mul(y)?;
            x.try_exp()?.try_sub(product)
        })
    }
}

impl Objective for PoissonNll {
    fn name(&self) -> &str {
        "PoissonNll"
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
