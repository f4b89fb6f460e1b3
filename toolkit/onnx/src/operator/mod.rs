//! The ONNX operators that this crate writes, as opset 17 defines them: attributes with their
//! defaults, and shapes.

mod cut;
mod parse;
mod recurrent;
mod scale;
mod shape;
mod window;

pub(super) use cut::{axis, sliced};
pub(super) use recurrent::{Cell, Direction, Recurrent};
pub use scale::scaled;
pub(super) use window::{Along, Window};

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
    /// The batch stays, and everything else becomes one dimension.
    Flatten,
    Conv {
        window: Window,
        group: usize,
    },
    ConvTranspose {
        window: Window,
        /// Numbers more at the end of each axis; empty for none.
        output_padding: Vec<usize>,
        group: usize,
    },
    MaxPool(Window),
    AveragePool {
        window: Window,
        count_include_pad: bool,
    },
    GlobalAveragePool,
    InstanceNormalization {
        epsilon: f32,
    },
    /// The axes are an input, other than those of the other reductions.
    ReduceSum {
        keep: bool,
    },
    /// An axis below 0 counts from the end, here and in Split.
    Concat {
        axis: i64,
    },
    Split {
        axis: i64,
    },
    Slice,
    /// With a constant, 0 if none is given.
    Pad,
    Expand,
    Squeeze,
    Unsqueeze,
    /// Between two constants, each of which may be left out.
    Clip,
    Compare(Compare),
    /// To bool: whether a number is not 0.
    Cast,
    Where,
    Recurrent(Recurrent),
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
    Pow,
}

/// What is asked of two numbers, with broadcasting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
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
    Elu { alpha: f32 },
    Selu { alpha: f32, gamma: f32 },
    Softplus,
    HardSwish,
    HardSigmoid { alpha: f32, beta: f32 },
    Neg,
    Reciprocal,
    Sign,
}

impl Binary {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Div => "Div",
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Pow => "Pow",
        }
    }
}

impl Compare {
    fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Greater => "Greater",
            Self::GreaterOrEqual => "GreaterOrEqual",
            Self::Less => "Less",
            Self::LessOrEqual => "LessOrEqual",
        }
    }
}

impl Unary {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Relu => "Relu",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Erf => "Erf",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Sqrt => "Sqrt",
            Self::Abs => "Abs",
            Self::Sin => "Sin",
            Self::Cos => "Cos",
            Self::Elu { .. } => "Elu",
            Self::Selu { .. } => "Selu",
            Self::Softplus => "Softplus",
            Self::HardSwish => "HardSwish",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::Neg => "Neg",
            Self::Reciprocal => "Reciprocal",
            Self::Sign => "Sign",
        }
    }
}

/// What is made of the numbers along reduced axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fold {
    Sum,
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

impl Operand<'_> {
    /// An optional input that is not given: it has the empty name.
    pub const ABSENT: Self =
        Self { element: Element::F32, shape: &[Dim::Fixed(0)], floats: &[], integers: &[] };

    pub fn is_given(&self) -> bool {
        *self.shape != *Self::ABSENT.shape
    }
}

impl Operator {
    /// What the numbers of its input of this place must be.
    fn input_element(&self, place: usize) -> Element {
        match (self, place) {
            (Self::Where, 0) => Element::Bool,
            (
                Self::Reshape
                | Self::Gather { .. }
                | Self::ReduceSum { .. }
                | Self::Split { .. }
                | Self::Pad
                | Self::Expand
                | Self::Squeeze
                | Self::Unsqueeze,
                1,
            )
            | (Self::Slice, 1..) => Element::I64,
            _ => Element::F32,
        }
    }

    /// What the numbers of its outputs are.
    fn output_element(&self) -> Element {
        match self {
            Self::ArgMax => Element::I64,
            Self::Compare(_) | Self::Cast => Element::Bool,
            _ => Element::F32,
        }
    }

    /// Whether it moves numbers of any kind and computes nothing.
    fn moves(&self) -> bool {
        matches!(
            self,
            Self::Unary(Unary::Identity)
                | Self::Transpose { .. }
                | Self::Reshape
                | Self::Flatten
                | Self::Squeeze
                | Self::Unsqueeze
        )
    }

    /// As ONNX calls it.
    fn name(&self) -> &'static str {
        match self {
            Self::Gemm { .. } => "Gemm",
            Self::MatMul => "MatMul",
            Self::Binary(binary) => binary.name(),
            Self::Unary(unary) => unary.name(),
            Self::PRelu => "PRelu",
            Self::Softmax => "Softmax",
            Self::LogSoftmax => "LogSoftmax",
            Self::BatchNormalization { .. } => "BatchNormalization",
            Self::LayerNormalization { .. } => "LayerNormalization",
            Self::Reduce { fold: Fold::Mean, .. } => "ReduceMean",
            Self::Reduce { fold: Fold::Max, .. } => "ReduceMax",
            Self::Reduce { fold: Fold::Min, .. } => "ReduceMin",
            Self::Reduce { fold: Fold::Sum, .. } | Self::ReduceSum { .. } => "ReduceSum",
            Self::ArgMax => "ArgMax",
            Self::Transpose { .. } => "Transpose",
            Self::Reshape => "Reshape",
            Self::Gather { .. } => "Gather",
            Self::Resize => "Resize",
            Self::Flatten => "Flatten",
            Self::Conv { .. } => "Conv",
            Self::ConvTranspose { .. } => "ConvTranspose",
            Self::MaxPool(_) => "MaxPool",
            Self::AveragePool { .. } => "AveragePool",
            Self::GlobalAveragePool => "GlobalAveragePool",
            Self::InstanceNormalization { .. } => "InstanceNormalization",
            Self::Concat { .. } => "Concat",
            Self::Split { .. } => "Split",
            Self::Slice => "Slice",
            Self::Pad => "Pad",
            Self::Expand => "Expand",
            Self::Squeeze => "Squeeze",
            Self::Unsqueeze => "Unsqueeze",
            Self::Clip => "Clip",
            Self::Compare(compare) => compare.name(),
            Self::Cast => "Cast",
            Self::Where => "Where",
            Self::Recurrent(Recurrent { cell: Cell::Lstm, .. }) => "LSTM",
            Self::Recurrent(_) => "GRU",
        }
    }

    /// Its inputs; the name of one that is left out is empty. Resize leaves out the second, which
    /// only crops and is no input here.
    ///
    /// # Errors
    /// The reason, if an input is left out that it needs, or Resize has other inputs.
    pub fn given<'a>(&self, inputs: &'a [String]) -> Result<Vec<&'a str>, String> {
        if *self == Self::Resize {
            return match inputs {
                [image, region, scales] if region.is_empty() => Ok(vec![image, scales]),
                _ => Err(format!(
                    "Resize must have an image, no region and scales as its inputs, not {} inputs, of which the second is {}",
                    inputs.len(),
                    if inputs.get(1).is_some_and(|region| !region.is_empty()) {
                        "a region"
                    } else {
                        "none"
                    }
                )),
            };
        }
        // At the end, an input is left out by stopping before it.
        let optional = match self {
            Self::Clip => 1..2,
            Self::Recurrent(_) => 3..6,
            _ => 0..0,
        };
        match inputs.iter().enumerate().find(|(i, name)| name.is_empty() && !optional.contains(i)) {
            None => Ok(inputs.iter().map(String::as_str).collect()),
            Some((place, _)) => Err(format!("its input {place} is left out")),
        }
    }
}
