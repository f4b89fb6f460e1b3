//! What an overview says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What is in an ONNX file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub file_sha256: String,
    /// The version of ONNX's file format.
    pub ir_version: i64,
    /// The version of the operators by domain; ONNX's own domain is "ai.onnx".
    pub opsets: BTreeMap<String, i64>,
    /// The tool that wrote it, with its version; empty if the file does not say.
    pub producer: String,
    /// What a run must be given. Initializers that the file lists among its inputs are left out.
    pub inputs: Vec<TensorInfo>,
    /// What a run returns.
    pub outputs: Vec<TensorInfo>,
    /// In the order of the file, which is that of the computation. Those within branches and bodies
    /// (If, Loop, Scan) are left out.
    pub nodes: Vec<NodeInfo>,
    /// How many numbers the initializers and constants hold, each counted once; those of int64,
    /// bool and string are no parameters.
    pub parameters: u64,
    /// What all initializers and constants take, int64, bool and string too.
    pub initializer_bytes: u64,
    /// The files that hold the data of initializers, relative to the model's folder. They were not
    /// opened.
    pub external_files: Vec<String>,
    /// The floating-point operations of all nodes for which they are known, for one row: every size
    /// that the inputs leave free is 1, and a batch size that the file fixes counts as it is. See
    /// [`NodeInfo::flops`].
    pub flops: u64,
    /// How many nodes have unknown FLOPs. If there are any, `flops` is a lower bound.
    pub flops_unknown: usize,
    /// The free sizes by name that were counted as 1.
    pub counted_as_one: Vec<String>,
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// A value that goes in or comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// What its numbers are: "float32", "int8", …; "sequence", "map" or "optional" if it is no
    /// tensor.
    pub element: String,
    /// Its sizes, if the file states how many there are.
    pub shape: Option<Vec<Size>>,
}

/// One size of a shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Size {
    /// Fixed.
    Fixed(u64),
    /// Chosen at every run, and known by this name.
    Named(String),
    /// Not stated.
    Unknown,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeInfo {
    /// Its name, which may be empty.
    pub name: String,
    /// "Conv"; an operator that is not ONNX's own has its domain before it:
    /// "com.microsoft.FusedConv".
    pub operator: String,
    /// The names of what it reads; an empty one stands for an optional input that is not given.
    pub inputs: Vec<String>,
    /// The names of what it computes.
    pub outputs: Vec<String>,
    /// The shape of the first output, if the file states it.
    pub shape: Option<Vec<Size>>,
    /// How many parameters are in the initializers that it reads, in its own constant, and in its
    /// branches and body. Two nodes that share an initializer both count it.
    pub parameters: u64,
    /// Floating-point operations for one row, by the operator's formula; `None` for an operator
    /// without one, and where the sizes are not known.
    ///
    /// With n the numbers of the output and m those of the first input, one multiplication with one
    /// addition is 2:
    ///
    /// | operators | FLOPs |
    /// |---|---|
    /// | MatMul, MatMulInteger, QLinearMatMul | 2 n k, with k the length of the sums |
    /// | Gemm | 2 n k, and n for the bias; alpha and beta are not counted |
    /// | Conv, ConvInteger, QLinearConv | 2 n (input channels ÷ groups) (numbers of the kernel), and n for the bias |
    /// | ConvTranspose | 2 m (output channels ÷ groups) (numbers of the kernel), and n for the bias |
    /// | one number to one (Relu, Erf, Sqrt, …), two to one (Add, Pow, Less, …), PRelu, Clip, CumSum | n |
    /// | Sum, Max, Min, Mean of i inputs | (i − 1) n; Mean i n |
    /// | Softmax, LogSoftmax | 5 n: maximum, difference, exponential, sum, quotient |
    /// | BatchNormalization | 4 n: difference, quotient, scale, shift |
    /// | LayerNormalization, InstanceNormalization, GroupNormalization | 8 n: two for each of mean and variance, and the 4 above |
    /// | RMSNormalization | 4 n: square, sum, quotient, scale |
    /// | ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ArgMax, ArgMin, global pooling | m |
    /// | ReduceL1, ReduceL2, ReduceSumSquare | 2 m |
    /// | MaxPool, AveragePool | n (numbers of the kernel) |
    /// | LSTM | for each step, row, direction and hidden number: 8 (features + hidden), 8 for the biases, and 9: five activations, three products and a sum |
    /// | GRU | the same with 6, 6 for the biases, and 8: three activations, three products, a difference and a sum |
    /// | QuantizeLinear, DequantizeLinear | 2 n |
    /// | DynamicQuantizeLinear | 4 n |
    /// | Resize | 0 for nearest; linear between height and width: 9 n, three interpolations of 3 |
    /// | what only moves, picks or converts numbers (Reshape, Gather, Cast, …) | 0 |
    pub flops: Option<u64>,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Named(name) => name.fmt(f),
            Self::Unknown => f.write_str("?"),
        }
    }
}
