//! How a layer states its ONNX form: the file to open first.

use super::{GraphBuilder, Value};
use crate::Error;

/// A layer states its ONNX form.
///
/// Implemented for dfdx's built modules on every device and for tuples of them. A layer of your own adds nodes that compute, for every
/// input, what its `forward` computes in evaluation mode; [`export`](super::export()) then compares the two and refuses the file if they
/// differ. A layer or a configuration that has no exact ONNX form must return an error, never something close.
///
/// ```
/// use trainbook::Error;
/// use trainbook::onnx::{Attribute, GraphBuilder, ToOnnx, Value};
///
/// /// max(x, 0.2 x)
/// struct Leaky;
///
/// impl ToOnnx for Leaky {
///     fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
///         graph.node(scope, "LeakyRelu", &[&input.name], &[("alpha", Attribute::Float(0.2))])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not state its ONNX form",
    label = "this layer cannot be exported",
    note = "dfdx's Linear, UnbiasedLinear, activations, Softmax, Dropout, BatchNorm1D, LayerNorm1D, Residual and tuples of them can",
    note = "for a layer of your own, implement `trainbook::onnx::ToOnnx`"
)]
pub trait ToOnnx {
    /// Adds this layer's nodes to `graph` and returns the value that holds its output.
    ///
    /// `scope` is the layer's path in the model as dfdx's `TensorCollection` names it ("0", "2.1", "" for a model that is one layer);
    /// weights must carry the name that dfdx gives them, so that `0.weight` is the same tensor in a checkpoint and in the file.
    /// `input.shape` is `[batch, features]`.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] when the layer, as configured or on this input, cannot be expressed exactly.
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error>;
}

/// The name of a part inside a scope: "0" and "weight" give "0.weight".
pub(super) fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
