//! A loss of somebody else's.

use std::sync::Arc;

use dfdx::prelude::*;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use trainbook_core::batch::Targets;

use super::Objective;
use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// A loss of somebody else's. Writes itself as its name, which nothing can read: a program that
/// goes on with such a network brings the loss itself.
#[derive(Clone, Debug)]
pub struct Custom(Arc<dyn Objective>);

impl Custom {
    pub(super) fn new(objective: Arc<dyn Objective>) -> Self {
        Self(objective)
    }

    pub(super) fn objective(&self) -> &dyn Objective {
        &*self.0
    }

    /// Computed on the host, and put on the tape as what has this gradient.
    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        let (shape, device) = (outputs.shape().to_vec(), outputs.device());
        let outputs = outputs.flat();
        let numbers: Vec<f32> = outputs.as_vec().into_iter().map(|v| v.wide() as f32).collect();
        let len = numbers.len();
        let mut gradient = vec![0.0; len];
        let value =
            self.0.with_gradient(&HostTensor::new(shape, numbers), targets, &mut gradient)?;
        let run = || {
            let gradient = gradient.into_iter().map(|g| E::of(f64::from(g))).collect();
            let gradient = device.try_tensor_from_vec(gradient, (len,))?;
            let sum = outputs.try_mul(gradient)?.try_sum()?;
            // Its slope is right; now its value.
            let off = value - sum.as_vec()[0].wide();
            sum.try_add(E::of(off))
        };
        run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
    }
}

impl PartialEq for Custom {
    /// Whether both are the same object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Custom", 1)?;
        fields.serialize_field("name", self.0.name())?;
        fields.end()
    }
}
