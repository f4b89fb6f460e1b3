//! Layers one behind the other.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{AnyLayer, Autocast, Fault, Layer, Misfit};
use crate::host::{Chain, HostLayer};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Layers one behind the other: what a network usually is. Each gets what the one before it gives.
///
/// Every layer of this library adds a method here that appends it with what it must be told; one
/// with more options is appended by [`with`](Self::with). Parts are called by their numbers, or by
/// the names that [`named`](Self::named) gives them.
///
/// ```
/// use trainbook_nn::layer::Sequential;
///
/// let net = Sequential::new().linear(128).relu().linear(10);
/// assert_eq!(net.len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    layers: Vec<AnyLayer>,
}

impl Sequential {
    /// Nothing yet: gives what it gets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer.
    #[must_use]
    pub fn with(mut self, layer: impl Into<AnyLayer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// Appends a layer under a name: its parameters are then called `name.weight`, not `3.weight`.
    #[must_use]
    pub fn named(self, name: impl Into<String>, layer: impl Into<AnyLayer>) -> Self {
        self.with(layer.into().named(name))
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[AnyLayer] {
        &self.layers
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl Layer for Sequential {
    const KIND: &'static str = "Sequential";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let mut sample = input.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            sample = plan.part(&i.to_string(), layer, &sample)?;
        }
        Ok(sample)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        mut x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        for i in 0..self.layers.len() {
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
        for i in 0..self.layers.len() {
            value = pass.part(i, &value)?;
        }
        Ok(value)
    }

    fn text(&self) -> String {
        let layers: Vec<String> = self.layers.iter().map(ToString::to_string).collect();
        layers.join(" → ")
    }
}
