//! ReLU with a learned slope below 0: `x` where it is not negative, else `a · x`.

use dfdx::nn::prelu::{PReLU, PReLU1D};
use dfdx::shapes::ConstDim;
use dfdx::tensor_ops::Device;
use trainbook_onnx::{Element, GraphBuilder, OnnxError, Value};

use super::{expect, unfit};
use crate::onnx::ToOnnx;

/// One slope for all.
impl<D: Device<f32>> ToOnnx for PReLU<f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        if input.element != Element::F32 || input.shape.len() < 2 {
            return Err(unfit("PReLU", scope, input, "have the shape [batch, _, …]"));
        }
        let slope = graph.weight(scope, "a", &[1], self.a.as_vec())?;
        graph.node(scope, "PRelu", &[&input.name, &slope], &[])
    }
}

/// One slope per channel, the second dimension.
impl<C: ConstDim, D: Device<f32>> ToOnnx for PReLU1D<C, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        expect("PReLU1D", scope, input, &[2, 3, 4], 1, C::SIZE)?;
        let mut shape = vec![C::SIZE];
        // ONNX aligns the slope with the last dimensions.
        shape.resize(input.shape.len() - 1, 1);
        let slope = graph.weight(scope, "a", &shape, self.a.as_vec())?;
        graph.node(scope, "PRelu", &[&input.name, &slope], &[])
    }
}
