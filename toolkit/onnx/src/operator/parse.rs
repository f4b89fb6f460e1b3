//! From a name and attributes to an operator.

use std::collections::BTreeMap;

use super::{Binary, Cell, Compare, Direction, Fold, Operator, Recurrent, Unary, Window};
use crate::attribute::Attribute;
use crate::proto::TENSOR_BOOL;

/// ONNX's defaults of Selu, as f32.
const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_GAMMA: f32 = 1.050_701;

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
            "Pow" => Self::Binary(Binary::Pow),
            "Equal" => Self::Compare(Compare::Equal),
            "Greater" => Self::Compare(Compare::Greater),
            "GreaterOrEqual" => Self::Compare(Compare::GreaterOrEqual),
            "Less" => Self::Compare(Compare::Less),
            "LessOrEqual" => Self::Compare(Compare::LessOrEqual),
            "Cast" => {
                left.is("to", &Attribute::Int(i64::from(TENSOR_BOOL)))?;
                Self::Cast
            }
            "Where" => Self::Where,
            "Clip" => Self::Clip,
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
            "Elu" => Self::Unary(Unary::Elu { alpha: left.float("alpha", 1.0)? }),
            "Selu" => Self::Unary(Unary::Selu {
                alpha: left.float("alpha", SELU_ALPHA)?,
                gamma: left.float("gamma", SELU_GAMMA)?,
            }),
            "Softplus" => Self::Unary(Unary::Softplus),
            "HardSwish" => Self::Unary(Unary::HardSwish),
            "HardSigmoid" => Self::Unary(Unary::HardSigmoid {
                alpha: left.float("alpha", 0.2)?,
                beta: left.float("beta", 0.5)?,
            }),
            "Neg" => Self::Unary(Unary::Neg),
            "Reciprocal" => Self::Unary(Unary::Reciprocal),
            "Sign" => Self::Unary(Unary::Sign),
            "PRelu" => Self::PRelu,
            "BatchNormalization" => {
                Self::BatchNormalization { epsilon: left.float("epsilon", 1e-5)? }
            }
            "LayerNormalization" => {
                left.last_axis()?;
                Self::LayerNormalization { epsilon: left.float("epsilon", 1e-5)? }
            }
            "InstanceNormalization" => {
                Self::InstanceNormalization { epsilon: left.float("epsilon", 1e-5)? }
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
            "ReduceSum" => Self::ReduceSum { keep: left.flag("keepdims", true)? },
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
            "Flatten" => {
                left.may_be("axis", &Attribute::Int(1))?;
                Self::Flatten
            }
            "Conv" => Self::Conv { window: left.window()?, group: left.group()? },
            "ConvTranspose" => Self::ConvTranspose {
                window: left.window()?,
                output_padding: left.sizes("output_padding", 0)?,
                group: left.group()?,
            },
            "MaxPool" => {
                left.may_be("ceil_mode", &Attribute::Int(0))?;
                left.may_be("storage_order", &Attribute::Int(0))?;
                Self::MaxPool(left.window()?)
            }
            "AveragePool" => {
                left.may_be("ceil_mode", &Attribute::Int(0))?;
                if let Some(found) = left.attributes.get("dilations") {
                    let found = Some(found.clone());
                    return Err(left.wrong("dilations", found, "absent before opset 19"));
                }
                let count_include_pad = left.flag("count_include_pad", false)?;
                Self::AveragePool { window: left.window()?, count_include_pad }
            }
            "GlobalAveragePool" => Self::GlobalAveragePool,
            "Concat" => Self::Concat { axis: left.int("axis", None)? },
            "Split" => Self::Split { axis: left.int("axis", Some(0))? },
            "Slice" => Self::Slice,
            "Pad" => {
                left.may_be("mode", &Attribute::Text("constant".into()))?;
                Self::Pad
            }
            "Expand" => Self::Expand,
            "Squeeze" => Self::Squeeze,
            "Unsqueeze" => Self::Unsqueeze,
            "LSTM" => left.recurrent(Cell::Lstm)?,
            "GRU" => {
                let linear_before_reset = left.flag("linear_before_reset", false)?;
                left.recurrent(Cell::Gru { linear_before_reset })?
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
}

/// The attributes that were not looked at yet.
struct Left<'a> {
    op: &'a str,
    attributes: BTreeMap<String, Attribute>,
}

impl Left<'_> {
    fn wrong(&self, name: &str, found: Option<Attribute>, expected: &str) -> String {
        let found = found.map_or_else(|| "missing".to_owned(), |found| found.to_string());
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

    fn int(&mut self, name: &str, default: Option<i64>) -> Result<i64, String> {
        match (self.attributes.remove(name), default) {
            (Some(Attribute::Int(value)), _) => Ok(value),
            (None, Some(default)) => Ok(default),
            (other, _) => Err(self.wrong(name, other, "an integer")),
        }
    }

    /// Numbers for each axis, none of them smaller; empty if they are at their defaults.
    fn sizes(&mut self, name: &str, least: usize) -> Result<Vec<usize>, String> {
        let found = self.attributes.remove(name);
        let sizes = match &found {
            None => return Ok(Vec::new()),
            Some(Attribute::Ints(sizes)) => sizes
                .iter()
                .map(|&size| usize::try_from(size).ok().filter(|s| *s >= least))
                .collect(),
            Some(_) => None,
        };
        sizes.ok_or_else(|| self.wrong(name, found, &format!("a list, each {least} or more")))
    }

    fn window(&mut self) -> Result<Window, String> {
        Ok(Window {
            kernel: self.sizes("kernel_shape", 1)?,
            strides: self.sizes("strides", 1)?,
            dilations: self.sizes("dilations", 1)?,
            pads: self.sizes("pads", 0)?,
        })
    }

    fn group(&mut self) -> Result<usize, String> {
        let group = self.int("group", Some(1))?;
        let usable = usize::try_from(group).ok().filter(|&group| group > 0);
        usable.ok_or_else(|| self.wrong("group", Some(Attribute::Int(group)), "1 or more"))
    }

    fn recurrent(&mut self, cell: Cell) -> Result<Operator, String> {
        let hidden = self.int("hidden_size", None)?;
        let usable = usize::try_from(hidden).ok().filter(|&hidden| hidden > 0);
        let hidden = usable
            .ok_or_else(|| self.wrong("hidden_size", Some(Attribute::Int(hidden)), "1 or more"))?;
        // ONNX Runtime does not know the other layout.
        self.may_be("layout", &Attribute::Int(0))?;
        let direction = match self.attributes.remove("direction") {
            None => Direction::Forward,
            Some(Attribute::Text(text)) if text == "forward" => Direction::Forward,
            Some(Attribute::Text(text)) if text == "reverse" => Direction::Reverse,
            Some(Attribute::Text(text)) if text == "bidirectional" => Direction::Both,
            other => {
                let expected = "\"forward\", \"reverse\" or \"bidirectional\"";
                return Err(self.wrong("direction", other, expected));
            }
        };
        Ok(Operator::Recurrent(Recurrent { cell, hidden, direction }))
    }

    fn reduce(&mut self, fold: Fold) -> Result<Operator, String> {
        Ok(Operator::Reduce { fold, axes: self.axes("axes")?, keep: self.flag("keepdims", true)? })
    }

    fn is(&mut self, name: &str, wanted: &Attribute) -> Result<(), String> {
        match self.attributes.remove(name) {
            Some(found) if found == *wanted => Ok(()),
            other => Err(self.wrong(name, other, &wanted.to_string())),
        }
    }

    /// Either left out or this, which is the default.
    fn may_be(&mut self, name: &str, wanted: &Attribute) -> Result<(), String> {
        if self.attributes.contains_key(name) { self.is(name, wanted) } else { Ok(()) }
    }
}
