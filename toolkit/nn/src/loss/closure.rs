//! A loss written as a closure on dfdx's tensors.

use std::fmt;

use dfdx::prelude::*;
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind, misfit};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::Taped;

/// A matrix of one batch in the processor's memory.
type Rows = Tensor<(usize, usize), f32, Cpu>;

/// What [`Loss::from_fn`](super::Loss::from_fn) makes an objective of.
pub(super) struct Closure<F> {
    name: String,
    takes: TargetKind,
    loss: F,
}

impl<F> Closure<F>
where
    F: Fn(Taped<(usize, usize), f32, Cpu>, Rows) -> Taped<(), f32, Cpu> + Send + Sync,
{
    pub(super) fn new(name: &str, takes: TargetKind, loss: F) -> Self {
        Self { name: name.to_owned(), takes, loss }
    }

    /// Outputs and targets as two matrices of one shape.
    fn matrices(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
    ) -> Result<([usize; 2], Vec<f32>), NnError> {
        let len = outputs.numbers().len();
        match self.takes {
            TargetKind::Values => {
                let values = misfit::values(&self.name, targets, len)?;
                let rows = outputs.batch().max(1);
                Ok(([rows, len / rows], values.to_vec()))
            }
            TargetKind::Classes => {
                let width = outputs.last().max(1);
                let classes = misfit::classes(&self.name, targets, len / width, width, None)?;
                let mut hot = vec![0.0; len];
                let rows = hot.chunks_exact_mut(width).zip(classes);
                rows.for_each(|(row, &class)| row[class as usize] = 1.0);
                Ok(([len / width, width], hot))
            }
        }
    }
}

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closure").field("name", &self.name).field("takes", &self.takes).finish()
    }
}

impl<F> Objective for Closure<F>
where
    F: Fn(Taped<(usize, usize), f32, Cpu>, Rows) -> Taped<(), f32, Cpu> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self) -> TargetKind {
        self.takes
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        let ([rows, width], targets) = self.matrices(outputs, targets)?;
        let device = Cpu::default();
        let run = || -> Result<f64, CpuError> {
            let x = device.try_tensor_from_vec(outputs.numbers().to_vec(), (rows, width))?;
            let y = device.try_tensor_from_vec(targets, (rows, width))?;
            let loss = (self.loss)(x.trace(Gradients::leaky()), y);
            let value = loss.as_vec()[0];
            let mut gradients = loss.try_backward()?;
            gradient.copy_from_slice(gradients.get_or_alloc_mut(&x)?);
            Ok(f64::from(value))
        };
        run().map_err(|e| NnError::device("compute the loss", &e))
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        let weight = self.weight(targets);
        let mut gradient = vec![0.0; outputs.numbers().len()];
        Ok((self.with_gradient(outputs, targets, &mut gradient)? * weight, weight))
    }
}
