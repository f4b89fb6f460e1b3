//! Samples in another shape.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Each sample in this shape of as many numbers, row-major. Moves no memory.
///
/// As in PyTorch's `Unflatten`, one dimension may be −1: what the others leave. The batch is not
/// named: it stays in front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The dimensions of a sample, without the batch.
    pub shape: Vec<i64>,
}

impl Reshape {
    /// To this shape, without the batch; one dimension may be −1.
    pub fn new(shape: impl Into<Vec<i64>>) -> Self {
        Self { shape: shape.into() }
    }

    /// The shape of samples of so many numbers.
    fn of(&self, size: usize) -> Option<Vec<usize>> {
        let known = self.shape.iter().filter(|&&dim| dim != -1);
        let product = known
            .map(|&dim| usize::try_from(dim).ok())
            .try_fold(1_usize, |product, dim| product.checked_mul(dim.filter(|dim| *dim > 0)?))?;
        let open = self.shape.iter().filter(|&&dim| dim == -1).count();
        if self.shape.is_empty()
            || open > 1
            || !size.is_multiple_of(product)
            || (open == 0 && size != product)
        {
            return None;
        }
        let dim = |&dim: &i64| usize::try_from(dim).unwrap_or(size / product);
        Some(self.shape.iter().map(dim).collect())
    }
}

impl Sequential {
    /// Appends a [`Reshape`] to this shape of a sample; one dimension may be −1.
    #[must_use]
    pub fn reshape(self, shape: impl Into<Vec<i64>>) -> Self {
        self.with(Reshape::new(shape))
    }
}

impl Layer for Reshape {
    const KIND: &'static str = "Reshape";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        input.as_numbers("[features, …]")?;
        let shape = self.of(input.size()).ok_or_else(|| {
            Misfit::new(format!(
                "its shape {:?} must hold the {} numbers of a sample; one dimension may be -1",
                self.shape,
                input.size()
            ))
        })?;
        Ok(Sample::numbers(shape))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = std::iter::once(x.batch()).chain(pass.node().output.shape.iter().copied());
        let shape = shape.collect();
        Flow::shaped(x.flat(), shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Unchanged
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        // 0 stands for the batch, whatever it is.
        let dims = pass.layer().output.shape.iter().map(|&dim| i64::try_from(dim));
        let shape = std::iter::once(Ok(0)).chain(dims).collect::<Result<Vec<i64>, _>>()?;
        let shape = pass.integers("shape", shape)?;
        pass.node("Reshape", &[&x.name, &shape], &[])
    }

    fn note(&self) -> String {
        let dims: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    }
}

impl HostLayer for Reshape {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let shape = with_batch(&x, &pass.node().output);
        Ok(x.reshaped(shape))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let shape = with_batch(&gradient, &pass.node().input);
        Ok(gradient.reshaped(shape))
    }
}

fn with_batch(x: &HostTensor, sample: &Sample) -> Vec<usize> {
    std::iter::once(x.batch()).chain(sample.shape.iter().copied()).collect()
}
