//! Linear layers: `y = x Wᵀ + b`.

use dfdx::nn::modules::{Linear, UnbiasedLinear};
use dfdx::tensor_ops::Device;
use trainbook_onnx::{Attribute, GraphBuilder, OnnxError, Value};

use super::expect;
use crate::onnx::ToOnnx;

impl<const I: usize, const O: usize, D: Device<f32>> ToOnnx for Linear<I, O, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        expect("Linear", scope, input, &[2, 3], -1, I)?;
        let weight = graph.weight(scope, "weight", &[O, I], self.weight.as_vec())?;
        let bias = graph.weight(scope, "bias", &[O], self.bias.as_vec())?;
        product(graph, scope, input, &weight, Some(&bias))
    }
}

impl<const I: usize, const O: usize, D: Device<f32>> ToOnnx for UnbiasedLinear<I, O, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        expect("UnbiasedLinear", scope, input, &[2, 3], -1, I)?;
        let weight = graph.weight(scope, "weight", &[O, I], self.weight.as_vec())?;
        product(graph, scope, input, &weight, None)
    }
}

/// dfdx keeps the weight as (out, in).
fn product(
    graph: &mut GraphBuilder,
    scope: &str,
    input: &Value,
    weight: &str,
    bias: Option<&str>,
) -> Result<Value, OnnxError> {
    if input.shape.len() == 2 {
        let inputs: Vec<&str> = [input.name.as_str(), weight].into_iter().chain(bias).collect();
        return graph.node(scope, "Gemm", &inputs, &[("transB", Attribute::Int(1))]);
    }
    // Gemm takes matrices only, MatMul does not transpose, and the file's weight must be the
    // checkpoint's.
    let transposed =
        graph.node(scope, "Transpose", &[weight], &[("perm", Attribute::Ints(vec![1, 0]))])?;
    let value = graph.node(scope, "MatMul", &[&input.name, &transposed.name], &[])?;
    match bias {
        Some(bias) => graph.node(scope, "Add", &[&value.name, bias], &[]),
        None => Ok(value),
    }
}
