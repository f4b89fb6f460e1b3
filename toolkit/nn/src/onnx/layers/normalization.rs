//! Normalisation over the batch's running statistics, or over the last axis.

use dfdx::nn::modules::{BatchNorm1D, BatchNorm2D, LayerNorm1D};
use dfdx::tensor_ops::Device;
use trainbook_onnx::{Attribute, GraphBuilder, OnnxError, Value};

use super::expect;
use crate::onnx::ToOnnx;

macro_rules! batch_norm {
    ($layer:ident, $ranks:expr) => {
        /// `(x − mean) · scale / √(var + ε) + bias` with the running statistics of each channel, as
        /// in evaluation mode.
        impl<const C: usize, D: Device<f32>> ToOnnx for $layer<C, f32, D> {
            fn to_onnx(
                &self,
                graph: &mut GraphBuilder,
                scope: &str,
                input: &Value,
            ) -> Result<Value, OnnxError> {
                expect(stringify!($layer), scope, input, &$ranks, 1, C)?;
                let scale = graph.weight(scope, "scale", &[C], self.scale.as_vec())?;
                let bias = graph.weight(scope, "bias", &[C], self.bias.as_vec())?;
                let mean = graph.weight(scope, "running_mean", &[C], self.running_mean.as_vec())?;
                let var = graph.weight(scope, "running_var", &[C], self.running_var.as_vec())?;
                let inputs = [input.name.as_str(), &scale, &bias, &mean, &var];
                graph.node(
                    scope,
                    "BatchNormalization",
                    &inputs,
                    &[("epsilon", epsilon(self.epsilon))],
                )
            }
        }
    };
}

batch_norm!(BatchNorm1D, [2, 3]);
batch_norm!(BatchNorm2D, [4]);

/// `(x − mean(x)) / √(var(x) + ε) · gamma + beta`, mean and (biased) variance over the last axis.
impl<const M: usize, D: Device<f32>> ToOnnx for LayerNorm1D<M, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        expect("LayerNorm1D", scope, input, &[2, 3], -1, M)?;
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
