//! Nothing.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Autocast, Fault, Layer, Misfit};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Gives what it gets: in place of a layer, for example as one branch of a
/// [`Parallel`](super::Parallel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity;

impl Layer for Identity {
    const KIND: &'static str = "Identity";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        Ok(x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Unchanged
    }

    fn onnx(&self, _: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(x.clone())
    }
}

impl HostLayer for Identity {
    fn forward(&self, _: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        Ok(x)
    }

    fn backward(&self, _: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        Ok(gradient)
    }
}
