//! Activations: element by element, or along the last axis.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use dfdx::nn::modules::{
    Abs, AccurateGeLU, Cos, Exp, FastGeLU, LeakyReLU, Ln, LogSoftmax, ReLU, Sigmoid, Sin, Softmax,
    Sqrt, Square, Tanh,
};
use trainbook_onnx::{Attribute, GraphBuilder, OnnxError, Value};

use crate::onnx::ToOnnx;

macro_rules! one_node {
    ($($layer:ident => $op:literal $attributes:expr),+ $(,)?) => {$(
        impl ToOnnx for $layer {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
                graph.node(scope, $op, &[&input.name], &$attributes)
            }
        }
    )+};
}

one_node! {
    ReLU => "Relu" [],
    Sigmoid => "Sigmoid" [],
    Tanh => "Tanh" [],
    Sin => "Sin" [],
    Cos => "Cos" [],
    Ln => "Log" [],
    Exp => "Exp" [],
    Sqrt => "Sqrt" [],
    Abs => "Abs" [],
    // dfdx's modules work on the last axis.
    Softmax => "Softmax" [("axis", Attribute::Int(-1))],
    LogSoftmax => "LogSoftmax" [("axis", Attribute::Int(-1))],
}

impl ToOnnx for Square {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        graph.node(scope, "Mul", &[&input.name, &input.name], &[])
    }
}

impl ToOnnx for LeakyReLU<f32> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        // Always written: ONNX's default is 0.01, dfdx's is 0.05.
        graph.node(scope, "LeakyRelu", &[&input.name], &[("alpha", Attribute::Float(self.0))])
    }
}

/// `x · ½ · (1 + erf(x / √2))`; ONNX has a Gelu operator only from opset 20.
impl ToOnnx for AccurateGeLU {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let mut chain = Chain { graph, scope, value: input.clone() };
        chain.with("Mul", "sqrt_half", FRAC_1_SQRT_2)?;
        chain.apply("Erf", &[])?;
        chain.half_times_one_plus(input)
    }
}

/// `x · ½ · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`.
impl ToOnnx for FastGeLU {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let mut chain = Chain { graph, scope, value: input.clone() };
        chain.apply("Mul", &[&input.name])?;
        chain.apply("Mul", &[&input.name])?;
        chain.with("Mul", "cubic", 0.044_715)?;
        chain.apply("Add", &[&input.name])?;
        chain.with("Mul", "sqrt_2_over_pi", FRAC_2_PI.sqrt())?;
        chain.apply("Tanh", &[])?;
        chain.half_times_one_plus(input)
    }
}

#[allow(deprecated, reason = "dfdx keeps GeLU as the old name of FastGeLU, and old models have it")]
impl ToOnnx for dfdx::nn::modules::GeLU {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        FastGeLU.to_onnx(graph, scope, input)
    }
}

/// Nodes of one shape, each taking what the one before it gave.
struct Chain<'a> {
    graph: &'a mut GraphBuilder,
    scope: &'a str,
    value: Value,
}

impl Chain<'_> {
    fn apply(&mut self, op: &str, others: &[&str]) -> Result<(), OnnxError> {
        let mut inputs = vec![self.value.name.as_str()];
        inputs.extend(others);
        self.value = self.graph.node(self.scope, op, &inputs, &[])?;
        Ok(())
    }

    fn with(&mut self, op: &str, name: &str, constant: f32) -> Result<(), OnnxError> {
        let constant = self.graph.weight(self.scope, name, &[], vec![constant])?;
        self.apply(op, &[&constant])
    }

    fn half_times_one_plus(mut self, input: &Value) -> Result<Value, OnnxError> {
        self.with("Add", "one", 1.0)?;
        self.apply("Mul", &[&input.name])?;
        self.with("Mul", "half", 0.5)?;
        Ok(self.value)
    }
}
