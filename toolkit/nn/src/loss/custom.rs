//! A loss of somebody else's.

use std::sync::Arc;

use dfdx::prelude::*;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trainbook_core::batch::Targets;

use super::{Objective, TargetKind};
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// A loss of somebody else's. Writes itself as its name and what it takes. Read again it is a loss
/// that this program lacks: a network that was trained by it can be used, and a program that goes on
/// training it brings the loss itself.
#[derive(Clone, Debug)]
pub struct Custom {
    objective: Arc<dyn Objective>,
    missing: bool,
}

impl Custom {
    pub(super) fn new(objective: Arc<dyn Objective>) -> Self {
        Self { objective, missing: false }
    }

    pub(super) fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// Whether this program lacks it.
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// Computed on the host, and put on the tape as what has this gradient.
    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        through_host(outputs, |outputs, gradient| {
            self.objective.with_gradient(outputs, targets, gradient)
        })
    }
}

/// A loss that is computed on the host, put on the tape as what has this gradient.
pub(super) fn through_host<E: Real, D: Backend<E>>(
    outputs: Flow<E, D>,
    loss: impl FnOnce(&HostTensor, &mut [f32]) -> Result<f64, NnError>,
) -> Result<Taped<(), E, D>, NnError> {
    let (shape, device) = (outputs.shape().to_vec(), outputs.device());
    let outputs = outputs.flat();
    let same = outputs.as_vec();
    let numbers: Vec<f32> = same.iter().map(|v| v.wide() as f32).collect();
    let len = numbers.len();
    let mut gradient = vec![0.0; len];
    let value = loss(&HostTensor::new(shape, numbers), &mut gradient)?;
    let run = || {
        let gradient = gradient.into_iter().map(|g| E::of(f64::from(g))).collect();
        let gradient = device.try_tensor_from_vec(gradient, (len,))?;
        // 0 with the right slope, and then the value.
        let nothing = outputs.try_sub(device.try_tensor_from_vec(same, (len,))?)?;
        nothing.try_mul(gradient)?.try_sum()?.try_add(E::of(value))
    };
    run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
}

impl PartialEq for Custom {
    /// Whether both are the same object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.objective, &other.objective)
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Custom", 2)?;
        fields.serialize_field("name", self.objective.name())?;
        fields.serialize_field("takes", &self.objective.takes())?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self { objective: Arc::new(Missing::deserialize(from)?), missing: true })
    }
}

/// A loss that another program had.
#[derive(Debug, Deserialize)]
struct Missing {
    name: String,
    #[serde(default = "values")]
    takes: TargetKind,
}

fn values() -> TargetKind {
    TargetKind::Values
}

impl Missing {
    fn error(&self) -> NnError {
        NnError::Data {
            action: "compute the loss on",
            reason: format!("this program does not have the loss {}; give it", self.name),
        }
    }
}

impl Objective for Missing {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self) -> TargetKind {
        self.takes
    }

    fn with_gradient(&self, _: &HostTensor, _: &Targets, _: &mut [f32]) -> Result<f64, NnError> {
        Err(self.error())
    }

    fn sum(&self, _: &HostTensor, _: &Targets) -> Result<(f64, f64), NnError> {
        Err(self.error())
    }
}
