//! The ONNX operators that this crate writes, as opset 17 defines them: attributes with their defaults, and shapes.

use std::collections::BTreeMap;

use super::graph::{Attribute, Dim};

/// An operator with its attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Gemm { trans_b: bool },
    Add,
    Sub,
    Mul,
    Unary(Unary),
    Softmax,
    LogSoftmax,
    BatchNormalization { epsilon: f32 },
    LayerNormalization { epsilon: f32 },
}

/// An operator that works on each number alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Identity,
    Relu,
    LeakyRelu { alpha: f32 },
    Sigmoid,
    Tanh,
    Erf,
}

impl Operator {
    /// # Errors
    /// The reason, if the operator or one of its attributes is not among those that can be evaluated.
    pub fn parse(op: &str, attributes: &BTreeMap<String, Attribute>) -> Result<Self, String> {
        let mut left = attributes.clone();
        let mut float = |name: &str, default| match left.remove(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) if value.is_finite() => Ok(value),
            Some(other) => Err(format!("the attribute {name} of {op} is {other:?}; it must be a finite float")),
        };
        let operator = match op {
            "Gemm" => Self::Gemm { trans_b: flag(&mut left, op, "transB")? },
            "Add" => Self::Add,
            "Sub" => Self::Sub,
            "Mul" => Self::Mul,
            "Identity" => Self::Unary(Unary::Identity),
            "Relu" => Self::Unary(Unary::Relu),
            "LeakyRelu" => Self::Unary(Unary::LeakyRelu { alpha: float("alpha", 0.01)? }),
            "Sigmoid" => Self::Unary(Unary::Sigmoid),
            "Tanh" => Self::Unary(Unary::Tanh),
            "Erf" => Self::Unary(Unary::Erf),
            "BatchNormalization" => Self::BatchNormalization { epsilon: float("epsilon", 1e-5)? },
            "LayerNormalization" => {
                let epsilon = float("epsilon", 1e-5)?;
                last_axis(&mut left, op)?;
                Self::LayerNormalization { epsilon }
            }
            "Softmax" | "LogSoftmax" => {
                last_axis(&mut left, op)?;
                if op == "Softmax" { Self::Softmax } else { Self::LogSoftmax }
            }
            _ => return Err(format!("the operator {op:?} is not one that trainbook writes and can evaluate in f64")),
        };
        match left.into_iter().next() {
            None => Ok(operator),
            Some((name, _)) => Err(format!("the attribute {name:?} of {op} is not one that trainbook writes")),
        }
    }

    /// The output's shape.
    ///
    /// # Errors
    /// The reason, if the inputs do not fit the operator.
    pub fn output_shape(self, inputs: &[&Vec<Dim>]) -> Result<Vec<Dim>, String> {
        let misfit = || format!("{self:?} does not fit inputs of the shapes {inputs:?}");
        let [first, others @ ..] = inputs else { return Err(misfit()) };
        let [batch @ Dim::Named(_), Dim::Fixed(width)] = first.as_slice() else { return Err(misfit()) };
        let per_feature = |shape: &&Vec<Dim>| ***shape == [Dim::Fixed(*width)];
        let fits = match self {
            Self::Gemm { trans_b } => {
                let [weight, bias @ ..] = others else { return Err(misfit()) };
                let [Dim::Fixed(rows), Dim::Fixed(columns)] = weight.as_slice() else { return Err(misfit()) };
                let (output, input) = if trans_b { (rows, columns) } else { (columns, rows) };
                let bias_fits = bias.is_empty() || matches!(bias, [b] if **b == [Dim::Fixed(*output)]);
                if input != width || !bias_fits {
                    return Err(misfit());
                }
                return Ok(vec![batch.clone(), Dim::Fixed(*output)]);
            }
            Self::Add | Self::Sub | Self::Mul => {
                matches!(others, [other] if other.is_empty() || other == first || per_feature(other))
            }
            Self::Unary(_) | Self::Softmax | Self::LogSoftmax => others.is_empty(),
            Self::BatchNormalization { .. } => others.len() == 4 && others.iter().all(per_feature),
            Self::LayerNormalization { .. } => others.len() == 2 && others.iter().all(per_feature),
        };
        if fits { Ok((*first).clone()) } else { Err(misfit()) }
    }
}

fn flag(attributes: &mut BTreeMap<String, Attribute>, op: &str, name: &str) -> Result<bool, String> {
    match attributes.remove(name) {
        None | Some(Attribute::Int(0)) => Ok(false),
        Some(Attribute::Int(1)) => Ok(true),
        Some(other) => Err(format!("the attribute {name} of {op} is {other:?}; it must be 0 or 1")),
    }
}

/// Values are `[batch, features]`: another axis would make a row's result depend on the other rows.
fn last_axis(attributes: &mut BTreeMap<String, Attribute>, op: &str) -> Result<(), String> {
    match attributes.remove("axis") {
        None | Some(Attribute::Int(-1 | 1)) => Ok(()),
        Some(other) => Err(format!("the attribute axis of {op} is {other:?}; it must be the last axis, -1 or 1")),
    }
}
