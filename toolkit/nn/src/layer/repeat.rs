//! One layer many times.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{AnyLayer, Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{Chain, HostLayer};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// The layer `f` so many times, one behind the other; each time with parameters of its own. The
/// parts are called 0, 1, ….
///
/// ```
/// use trainbook_nn::layer::{Repeat, Sequential};
///
/// let net = Sequential::new().linear(32).with(Repeat::new(4, Sequential::new().linear(32).relu()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How many times. With 0 it gives what it gets.
    pub times: usize,
    f: AnyLayer,
}

impl Repeat {
    /// `f`, so many times. `f` itself must not have a name, because it would be that of each.
    pub fn new(times: usize, f: impl Into<AnyLayer>) -> Self {
        Self { times, f: f.into() }
    }
}

impl Sequential {
    /// Appends `f` so many times, each with parameters of its own.
    #[must_use]
    pub fn repeat(self, times: usize, f: impl Into<AnyLayer>) -> Self {
        self.with(Repeat::new(times, f))
    }
}

impl Layer for Repeat {
    const KIND: &'static str = "Repeat";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        if let Some(name) = self.f.name() {
            return Err(Misfit::new(format!(
                "what it repeats must have no name of its own, not `{name}`: its parts are called 0, 1, …"
            )));
        }
        let mut sample = input.clone();
        for i in 0..self.times {
            sample = plan.part(&i.to_string(), &self.f, &sample)?;
        }
        Ok(sample)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        mut x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        for i in 0..self.times {
            x = pass.part(i, x)?;
        }
        Ok(x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(&Chain)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Unchanged
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let mut value = x.clone();
        for i in 0..self.times {
            value = pass.part(i, &value)?;
        }
        Ok(value)
    }

    fn note(&self) -> String {
        format!("{} ×", self.times)
    }

    fn text(&self) -> String {
        format!("{} × ({})", self.times, self.f)
    }
}
