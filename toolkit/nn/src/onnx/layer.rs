//! How a layer states its ONNX form: the file to open first.

use trainbook_onnx::{GraphBuilder, OnnxError, Value, Values};

/// A layer states its ONNX form.
///
/// Implemented for dfdx's built modules on every device and for tuples of them. A layer of your own
/// adds nodes that compute, for every input, what its `forward` computes in evaluation mode;
/// [`export`](trainbook_onnx::export()) then compares the two and refuses the file if they differ.
/// A layer or a configuration that has no exact ONNX form must return an error, never something
/// close.
///
/// ```
/// use trainbook_nn::onnx::ToOnnx;
/// use trainbook_onnx::{Attribute, GraphBuilder, OnnxError, Value};
///
/// /// max(x, 0.2 x)
/// struct Leaky;
///
/// impl ToOnnx for Leaky {
///     fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
///         graph.node(scope, "LeakyRelu", &[&input.name], &[("alpha", Attribute::Float(0.2))])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not state its ONNX form",
    label = "this layer cannot be exported",
    note = "all of dfdx's layers of stable Rust can: Linear, UnbiasedLinear, Bias2D, Embedding, every activation, PReLU, PReLU1D, BatchNorm1D, \
            BatchNorm2D, LayerNorm1D, Dropout, DropoutOneIn, global pooling, Upscale2D, Reshape, MultiHeadAttention, Transformer, its \
            encoder, decoder and their blocks; and what is made of them with tuples, Residual, GeneralizedResidual, Repeated, SplitInto, \
            AddInto",
    note = "the layers of dfdx that need nightly Rust (Conv2D, ConvTrans2D, 2-D pooling, Flatten2D, Upscale2DBy) cannot",
    note = "for a layer of your own, implement `trainbook::onnx::ToOnnx`"
)]
pub trait ToOnnx {
    /// Adds this layer's nodes to `graph` and returns the value that holds its output.
    ///
    /// `scope` is the layer's path in the model as dfdx's `TensorCollection` names it ("0", "2.1",
    /// "" for a model that is one layer); weights must carry the name that dfdx gives them, so that
    /// `0.weight` is the same tensor in a checkpoint and in the file. `input.shape` is
    /// `[batch, …]`: `[batch, features]`, `[batch, sequence, features]`,
    /// `[batch, channels, height, width]`; a layer must refuse a rank that its `forward` does not
    /// take.
    ///
    /// # Errors
    /// [`OnnxError::NoOnnxForm`] when the layer, as configured or on this input, cannot be
    /// expressed exactly.
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError>;

    /// The same for a layer that takes or returns a tuple of tensors, as dfdx's `SplitInto`,
    /// `AddInto` and decoders do. Layers from one tensor to one need not write it.
    ///
    /// # Errors
    /// [`OnnxError::NoOnnxForm`] when the layer, as configured or on these inputs, cannot be
    /// expressed exactly.
    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        self.to_onnx(graph, scope, one(scope, input)?).map(Values::One)
    }
}

/// For `to_onnx` of a layer that writes [`ToOnnx::to_onnx_values`]: one tensor in, and one out.
///
/// # Errors
/// Those of the layer, and [`OnnxError::NoOnnxForm`] if it returns a tuple.
pub(super) fn through_values(
    layer: &(impl ToOnnx + ?Sized),
    graph: &mut GraphBuilder,
    scope: &str,
    input: &Value,
) -> Result<Value, OnnxError> {
    let returned = layer.to_onnx_values(graph, scope, &Values::One(input.clone()))?;
    one(scope, &returned).cloned()
}

/// The only tensor of what a layer is given or returns.
///
/// # Errors
/// [`OnnxError::NoOnnxForm`] if it is a tuple.
pub(super) fn one<'a>(scope: &str, values: &'a Values) -> Result<&'a Value, OnnxError> {
    match values {
        Values::One(value) => Ok(value),
        Values::Tuple(parts) => Err(OnnxError::NoOnnxForm {
            layer: if scope.is_empty() { "the model".into() } else { format!("the layer {scope}") },
            reason: format!("it must be one tensor here, but is a tuple of {}", parts.len()),
        }),
    }
}
