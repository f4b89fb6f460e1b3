//! The ONNX operators that this crate writes, as opset 17 defines them: attributes with their
//! defaults, and shapes.

mod scale;
mod shape;

pub use scale::scaled;

use std::collections::BTreeMap;

use super::attribute::Attribute;
use super::value::{Dim, Element};

/// An operator with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    Gemm {
        trans_b: bool,
    },
    MatMul,
    Binary(Binary),
    Unary(Unary),
    PRelu,
    /// Over the last axis, as all of this row's kind.
    Softmax,
    LogSoftmax,
    BatchNormalization {
        epsilon: f32,
    },
    LayerNormalization {
        epsilon: f32,
    },
    Reduce {
        fold: Fold,
        axes: Vec<usize>,
        keep: bool,
    },
    /// Where along the last axis, which goes, the largest number stands: the first of equal ones.
    ArgMax,
    Transpose {
        perm: Vec<usize>,
    },
    Reshape,
    Gather {
        axis: usize,
    },
    /// Linear, with the corners of input and output in the same place.
    Resize,
}

/// An operator on two numbers, with broadcasting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
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
    Exp,
    Log,
    Sqrt,
    Abs,
    Sin,
    Cos,
}

/// What is made of the numbers along reduced axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fold {
    Mean,
    Max,
    Min,
}

/// What is known of an operator's input before the graph runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'a> {
    pub element: Element,
    pub shape: &'a [Dim],
    /// The numbers of a constant of floats; else empty.
    pub floats: &'a [f32],
    /// The numbers of a constant of integers; else empty.
    pub integers: &'a [i64],
}

impl Operator {
    /// # Errors
    /// The reason, if the operator or one of its attributes is not among those that can be
    /// evaluated.
    pub fn parse(op: &str, attributes: &BTreeMap<String, Attribute>) -> Result<Self, String> {
        let mut left = Left { op, attributes: attributes.clone() };
        let operator = match op {
            "Gemm" => Self::Gemm { trans_b: left.flag("transB", false)? },
            "MatMul" => Self::MatMul,
            "Add" => Self::Binary(Binary::Add),
            "Sub" => Self::Binary(Binary::Sub),
            "Mul" => Self::Binary(Binary::Mul),
            "Div" => Self::Binary(Binary::Div),
            "Max" => Self::Binary(Binary::Max),
            "Min" => Self::Binary(Binary::Min),
            "Identity" => Self::Unary(Unary::Identity),
            "Relu" => Self::Unary(Unary::Relu),
            "LeakyRelu" => Self::Unary(Unary::LeakyRelu { alpha: left.float("alpha", 0.01)? }),
            "Sigmoid" => Self::Unary(Unary::Sigmoid),
            "Tanh" => Self::Unary(Unary::Tanh),
            "Erf" => Self::Unary(Unary::Erf),
            "Exp" => Self::Unary(Unary::Exp),
            "Log" => Self::Unary(Unary::Log),
            "Sqrt" => Self::Unary(Unary::Sqrt),
            "Abs" => Self::Unary(Unary::Abs),
            "Sin" => Self::Unary(Unary::Sin),
            "Cos" => Self::Unary(Unary::Cos),
            "PRelu" => Self::PRelu,
            "BatchNormalization" => {
                Self::BatchNormalization { epsilon: left.float("epsilon", 1e-5)? }
            }
            "LayerNormalization" => {
                left.last_axis()?;
                Self::LayerNormalization { epsilon: left.float("epsilon", 1e-5)? }
            }
            "Softmax" => {
                left.last_axis()?;
                Self::Softmax
            }
            "LogSoftmax" => {
                left.last_axis()?;
                Self::LogSoftmax
            }
            "ReduceMean" => left.reduce(Fold::Mean)?,
            "ReduceMax" => left.reduce(Fold::Max)?,
            "ReduceMin" => left.reduce(Fold::Min)?,
            "ArgMax" => {
                left.is("axis", &Attribute::Int(-1))?;
                left.is("keepdims", &Attribute::Int(0))?;
                Self::ArgMax
            }
            "Transpose" => Self::Transpose { perm: left.axes("perm")? },
            "Reshape" => Self::Reshape,
            "Gather" => Self::Gather { axis: left.axis()? },
            "Resize" => {
                left.is("mode", &Attribute::Text("linear".into()))?;
                left.is(
                    "coordinate_transformation_mode",
                    &Attribute::Text("align_corners".into()),
                )?;
                Self::Resize
            }
            _ => {
                return Err(format!(
                    "the operator {op:?} is not one that trainbook writes and can evaluate in f64"
                ));
            }
        };
        match left.attributes.into_iter().next() {
            None => Ok(operator),
            Some((name, _)) => {
                Err(format!("the attribute {name:?} of {op} is not one that trainbook writes"))
            }
        }
    }

    /// What the numbers of its output are.
    pub fn output_element(&self) -> Element {
        if *self == Self::ArgMax { Element::I64 } else { Element::F32 }
    }

    /// The inputs that are there: Resize leaves out the second, which only crops.
    ///
    /// # Errors
    /// The reason, if Resize has other inputs.
    pub fn given<'a>(&self, inputs: &'a [String]) -> Result<Vec<&'a str>, String> {
        if *self != Self::Resize {
            return Ok(inputs.iter().map(String::as_str).collect());
        }
        match inputs {
            [image, region, scales] if region.is_empty() => Ok(vec![image, scales]),
            _ => Err(format!(
                "Resize must have an image, no region and scales as its inputs, not {inputs:?}"
            )),
        }
    }
}

/// The attributes that were not looked at yet.
struct Left<'a> {
    op: &'a str,
    attributes: BTreeMap<String, Attribute>,
}

impl Left<'_> {
    fn wrong(&self, name: &str, found: Option<Attribute>, expected: &str) -> String {
        let found = found.map_or_else(|| "missing".to_owned(), |found| format!("{found:?}"));
        format!("the attribute {name} of {} is {found}; it must be {expected}", self.op)
    }

    fn float(&mut self, name: &str, default: f32) -> Result<f32, String> {
        match self.attributes.remove(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) if value.is_finite() => Ok(value),
            other => Err(self.wrong(name, other, "a finite float")),
        }
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.attributes.remove(name) {
            None => Ok(default),
            Some(Attribute::Int(0)) => Ok(false),
            Some(Attribute::Int(1)) => Ok(true),
            other => Err(self.wrong(name, other, "0 or 1")),
        }
    }

    /// Along another axis a row's result might depend on the other rows.
    fn last_axis(&mut self) -> Result<(), String> {
        match self.attributes.remove("axis") {
            None | Some(Attribute::Int(-1)) => Ok(()),
            other => Err(self.wrong("axis", other, "the last axis, -1")),
        }
    }

    fn axis(&mut self) -> Result<usize, String> {
        match self.attributes.remove("axis") {
            None => Ok(0),
            Some(Attribute::Int(axis)) if axis >= 0 => {
                usize::try_from(axis).map_err(|e| e.to_string())
            }
            other => Err(self.wrong("axis", other, "0 or more")),
        }
    }

    fn axes(&mut self, name: &str) -> Result<Vec<usize>, String> {
        let found = self.attributes.remove(name);
        if let Some(Attribute::Ints(axes)) = &found
            && let Ok(axes) = axes.iter().map(|&axis| usize::try_from(axis)).collect()
        {
            return Ok(axes);
        }
        Err(self.wrong(name, found, "a list of axes, each 0 or more"))
    }

    fn reduce(&mut self, fold: Fold) -> Result<Operator, String> {
        Ok(Operator::Reduce { fold, axes: self.axes("axes")?, keep: self.flag("keepdims", true)? })
    }

    fn is(&mut self, name: &str, wanted: &Attribute) -> Result<(), String> {
        match self.attributes.remove(name) {
            Some(found) if found == *wanted => Ok(()),
            other => Err(self.wrong(name, other, &format!("{wanted:?}"))),
        }
    }
}
