//! The ONNX forms of dfdx's layers, and of layers of one's own.
//!
//! Open `layer.rs` first: a layer states its form there. All layers that dfdx has on stable Rust
//! have one, in `layers`. [`graph_of`] and [`graph_on`] make a [`Graph`] of a model, which
//! `trainbook-onnx` writes and proves.

mod layer;
mod layers;

pub use layer::ToOnnx;

use trainbook_onnx::{Graph, OnnxError, Value};

/// The graph of `layer` for inputs of `width` features, with its output named `output_name`.
///
/// With `normalization` = `(offset, scale)`, each of length `width`, the graph takes raw features
/// and begins with `(input − offset) · scale`.
///
/// # Errors
/// As [`Graph::build`].
pub fn graph_of(
    width: usize,
    output_name: &str,
    layer: &(impl ToOnnx + ?Sized),
    normalization: Option<(&[f32], &[f32])>,
) -> Result<Graph, OnnxError> {
    Graph::build(width, output_name, |graph, input| layer.to_onnx(graph, "", input), normalization)
}

/// The graph of `layer` for inputs of any rank: `inputs` has one value, or as many as the tuple of
/// tensors that the layer takes, and `outputs` names what it returns.
///
/// ```
/// use dfdx::nn::modules::{SplitInto, Softmax, Tanh};
/// use trainbook_nn::onnx::graph_on;
/// use trainbook_onnx::{BATCH, SEQUENCE, Value};
///
/// let input = Value::f32("input", [BATCH.into(), SEQUENCE.into(), 4.into()]);
/// let graph = graph_on(&[input], &["weights", "values"], &SplitInto((Softmax, Tanh)))?;
/// assert_eq!(graph.signature(), "input [batch, sequence, 4] → weights [batch, sequence, 4], values [batch, sequence, 4]");
/// # Ok::<(), trainbook_onnx::OnnxError>(())
/// ```
///
/// # Errors
/// As [`Graph::build_on`].
pub fn graph_on(
    inputs: &[Value],
    outputs: &[&str],
    layer: &(impl ToOnnx + ?Sized),
) -> Result<Graph, OnnxError> {
    Graph::build_on(inputs, outputs, |graph, input| layer.to_onnx_values(graph, "", input))
}
