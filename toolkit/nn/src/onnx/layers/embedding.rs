//! Rows of a table by index.

use dfdx::nn::modules::Embedding;
use dfdx::tensor_ops::Device;
use trainbook_onnx::{Attribute, Element, GraphBuilder, OnnxError, Value};

use super::unfit;
use crate::onnx::ToOnnx;

/// `[batch]` or `[batch, sequence]` of int64 to the rows of the table. An index must be in the
/// vocabulary: ONNX Runtime counts negative ones from the end, where dfdx has none.
impl<const V: usize, const M: usize, D: Device<f32>> ToOnnx for Embedding<V, M, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        if input.element != Element::I64 || !matches!(input.shape.len(), 1 | 2) {
            return Err(unfit(
                "Embedding",
                scope,
                input,
                "be int64 of the shape [batch] or [batch, _]",
            ));
        }
        let weight = graph.weight(scope, "weight", &[V, M], self.weight.as_vec())?;
        graph.node(scope, "Gather", &[&weight, &input.name], &[("axis", Attribute::Int(0))])
    }
}
