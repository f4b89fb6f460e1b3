//! Normalisation over the batch's running statistics, or over the features of each row.

use dfdx::nn::modules::{BatchNorm1D, LayerNorm1D};
use dfdx::tensor_ops::Device;

use super::expect_width;
use crate::Error;
use crate::onnx::{Attribute, GraphBuilder, ToOnnx, Value};

/// `(x − mean) · scale / √(var + ε) + bias` with the running statistics, as in evaluation mode.
impl<const C: usize, D: Device<f32>> ToOnnx for BatchNorm1D<C, f32, D> {
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
        expect_width("BatchNorm1D", scope, input, C)?;
        let scale = graph.weight(scope, "scale", &[C], self.scale.as_vec())?;
        let bias = graph.weight(scope, "bias", &[C], self.bias.as_vec())?;
        let mean = graph.weight(scope, "running_mean", &[C], self.running_mean.as_vec())?;
        let var = graph.weight(scope, "running_var", &[C], self.running_var.as_vec())?;
        let inputs = [input.name.as_str(), &scale, &bias, &mean, &var];
        graph.node(scope, "BatchNormalization", &inputs, &[("epsilon", epsilon(self.epsilon))])
    }
}

/// `(x − mean(x)) / √(var(x) + ε) · gamma + beta`, mean and (biased) variance over the features of a row.
impl<const M: usize, D: Device<f32>> ToOnnx for LayerNorm1D<M, f32, D> {
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
        expect_width("LayerNorm1D", scope, input, M)?;
        let gamma = graph.weight(scope, "gamma", &[M], self.gamma.as_vec())?;
        let beta = graph.weight(scope, "beta", &[M], self.beta.as_vec())?;
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", epsilon(self.epsilon))];
        graph.node(scope, "LayerNormalization", &[&input.name, &gamma, &beta], &attributes)
    }
}

/// dfdx adds epsilon in the model's precision too.
#[allow(clippy::cast_possible_truncation, reason = "the rounding is what dfdx does")]
fn epsilon(value: f64) -> Attribute {
    Attribute::Float(value as f32)
}
