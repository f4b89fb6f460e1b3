//! Samples of any shape as rows of features.

use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Each sample as one row: `[a, b, c]` becomes `[a·b·c]`, row-major. Moves no memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten;

impl Sequential {
    /// Appends a [`Flatten`].
    #[must_use]
    pub fn flatten(self) -> Self {
        self.with(Flatten)
    }
}

impl Layer for Flatten {
    const KIND: &'static str = "Flatten";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        input.as_numbers("[features, …]")?;
        Ok(Sample::numbers([input.size()]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = flat(x.shape());
        Flow::shaped(x.flat(), shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Unchanged
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Flatten", &[&x.name], &[("axis", Attribute::Int(1))])
    }
}

impl HostLayer for Flatten {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let shape = flat(&x.shape);
        pass.save_other(x.shape.clone());
        Ok(x.reshaped(shape))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let shape = pass.saved_other()?;
        Ok(gradient.reshaped(shape))
    }
}

fn flat(shape: &[usize]) -> Vec<usize> {
    let batch = shape.first().copied().unwrap_or(0);
    vec![batch, shape.iter().skip(1).product()]
}
