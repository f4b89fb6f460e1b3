//! A shortcut around a block.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{AnyLayer, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, apart};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// `f(x) + x`, or with a shortcut `f(x) + s(x)` (He et al. 2016, arXiv:1512.03385). Both sides give
/// samples of the same shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    f: AnyLayer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shortcut: Option<AnyLayer>,
}

impl Residual {
    /// A shortcut around `f`.
    pub fn new(f: impl Into<AnyLayer>) -> Self {
        Self { f: f.into(), shortcut: None }
    }

    /// The same with a layer on the shortcut, for a block that changes the shape.
    #[must_use]
    pub fn shortcut(mut self, shortcut: impl Into<AnyLayer>) -> Self {
        self.shortcut = Some(shortcut.into());
        self
    }
}

impl Sequential {
    /// Appends `f` with a shortcut around it: `f(x) + x`.
    #[must_use]
    pub fn residual(self, f: impl Into<AnyLayer>) -> Self {
        self.with(Residual::new(f))
    }
}

impl Layer for Residual {
    const KIND: &'static str = "Residual";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        input.as_numbers("[features, …]")?;
        let output = plan.branch("f", &self.f, input)?;
        let beside = match &self.shortcut {
            Some(shortcut) => plan.branch("shortcut", shortcut, input)?,
            None => input.clone(),
        };
        if !output.is_like(&beside) {
            return Err(Misfit::new(format!(
                "its block gives samples of shape {output}, the shortcut {beside}; they must be alike"
            )));
        }
        plan.flops(output.size());
        let padding = beside.common_padding(&output);
        Ok(output.padded(padding))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        use dfdx::tensor_ops::TryAdd;
        let beside = x.fork();
        let y = pass.part(0, x)?;
        let beside = if self.shortcut.is_some() { pass.part(1, beside)? } else { beside };
        let beside = apart(&y, beside)?;
        y.map(|y| Ok(y.try_add(beside.flat())?))
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let y = pass.part(0, x)?;
        let beside = if self.shortcut.is_some() { pass.part(1, x)? } else { x.clone() };
        pass.node("Add", &[&y.name, &beside.name], &[])
    }

    fn text(&self) -> String {
        match &self.shortcut {
            Some(shortcut) => format!("Residual({} | {shortcut})", self.f),
            None => format!("Residual({})", self.f),
        }
    }
}

impl HostLayer for Residual {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let copy = pass.copied(&x);
        let mut y = pass.part_forward(0, copy)?;
        let mark = pass.mark();
        let beside = if self.shortcut.is_some() { pass.part_forward(1, x)? } else { x };
        add(&mut y, &beside);
        pass.free(beside);
        pass.save_other(mark);
        Ok(y)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let mark = pass.saved_other()?;
        let copy = pass.copied(&gradient);
        let beside = if self.shortcut.is_some() { pass.part_backward(1, copy)? } else { copy };
        pass.rewind(mark);
        let mut through = pass.part_backward(0, gradient)?;
        if through.is_none() || beside.is_none() {
            [through, beside].into_iter().for_each(|tensor| pass.free(tensor));
            return Ok(HostTensor::none());
        }
        add(&mut through, &beside);
        pass.free(beside);
        Ok(through)
    }
}

/// Adds `b` to `a`, element by element.
pub(super) fn add(a: &mut HostTensor, b: &HostTensor) {
    let b = b.numbers();
    threads::each_share(a.numbers_mut(), |at, share| {
        let len = share.len();
        share.iter_mut().zip(&b[at..at + len]).for_each(|(a, b)| *a += b);
    });
}
