//! Linear layers: `y = x Wᵀ + b`.

use dfdx::nn::modules::{Linear, UnbiasedLinear};
use dfdx::tensor_ops::Device;

use super::expect_width;
use crate::Error;
use crate::onnx::{Attribute, GraphBuilder, ToOnnx, Value};

impl<const I: usize, const O: usize, D: Device<f32>> ToOnnx for Linear<I, O, f32, D> {
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
        expect_width("Linear", scope, input, I)?;
        let weight = graph.weight(scope, "weight", &[O, I], self.weight.as_vec())?;
        let bias = graph.weight(scope, "bias", &[O], self.bias.as_vec())?;
        gemm(graph, scope, &[&input.name, &weight, &bias])
    }
}

impl<const I: usize, const O: usize, D: Device<f32>> ToOnnx for UnbiasedLinear<I, O, f32, D> {
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
        expect_width("UnbiasedLinear", scope, input, I)?;
        let weight = graph.weight(scope, "weight", &[O, I], self.weight.as_vec())?;
        gemm(graph, scope, &[&input.name, &weight])
    }
}

fn gemm(graph: &mut GraphBuilder, scope: &str, inputs: &[&str]) -> Result<Value, Error> {
    // dfdx keeps the weight as (out, in).
    graph.node(scope, "Gemm", inputs, &[("transB", Attribute::Int(1))])
}
