//! Floating-point operations of a node; the formulas are said at
//! [`NodeInfo::flops`](super::NodeInfo::flops).

use super::operators::{MOVES, PAIRS, SINGLE, is_onnx};
use super::shape::{Sizes, attribute, input, int, numbers};
use crate::proto::{AttributeProto as Attribute, NodeProto as Node};

/// `None` for an operator without a formula, and where the sizes are not known.
pub(super) fn flops(node: &Node, sizes: &Sizes<'_>) -> Option<u64> {
    if !is_onnx(node) {
        return None;
    }
    let sizes_in = |i| input(node, sizes, i);
    let given = |i: usize| node.input.get(i).is_some_and(|name| !name.is_empty());
    // n and m
    let n = || numbers(sizes.get(node.output.first()?.as_str())?);
    let m = || numbers(sizes_in(0)?);
    let bias = |i| if given(i) { n() } else { Some(0) };
    let multiply_add = |outputs: u64, terms: u64| outputs.checked_mul(terms)?.checked_mul(2);
    match node.op_type.as_str() {
        op if MOVES.contains(&op) => Some(0),
        op if SINGLE.contains(&op) || PAIRS.contains(&op) => n(),
        "Sum" | "Max" | "Min" => n()?.checked_mul((node.input.len() as u64).saturating_sub(1)),
        "Mean" => n()?.checked_mul(node.input.len() as u64),
        "MatMul" | "MatMulInteger" => multiply_add(n()?, terms(sizes_in(0), sizes_in(1))?),
        "QLinearMatMul" => multiply_add(n()?, terms(sizes_in(0), sizes_in(3))?),
        "Gemm" => {
            let first = |name| usize::from(int(node, name, 0) != 0);
            let k = match (sizes_in(0), sizes_in(1)) {
                (Some(a), _) => *a.get(1 - first("transA"))?,
                (None, Some(b)) => *b.get(first("transB"))?,
                (None, None) => return None,
            };
            multiply_add(n()?, k)?.checked_add(bias(2)?)
        }
        "Conv" => multiply_add(n()?, numbers(sizes_in(1)?.get(1..)?)?)?.checked_add(bias(2)?),
        "ConvInteger" => multiply_add(n()?, numbers(sizes_in(1)?.get(1..)?)?),
        "QLinearConv" => {
            multiply_add(n()?, numbers(sizes_in(3)?.get(1..)?)?)?.checked_add(bias(8)?)
        }
        "ConvTranspose" => {
            multiply_add(m()?, numbers(sizes_in(1)?.get(1..)?)?)?.checked_add(bias(2)?)
        }
        "Softmax" | "LogSoftmax" => n()?.checked_mul(5),
        "BatchNormalization" | "RMSNormalization" | "DynamicQuantizeLinear" => n()?.checked_mul(4),
        "LayerNormalization" | "InstanceNormalization" | "GroupNormalization" => {
            n()?.checked_mul(8)
        }
        "QuantizeLinear" | "DequantizeLinear" => n()?.checked_mul(2),
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ArgMax"
        | "ArgMin" | "GlobalAveragePool" | "GlobalMaxPool" => m(),
        "ReduceL1" | "ReduceL2" | "ReduceSumSquare" => m()?.checked_mul(2),
        "MaxPool" | "AveragePool" => attribute(node, "kernel_shape")?
            .ints
            .iter()
            .try_fold(n()?, |product, &size| product.checked_mul(u64::try_from(size).ok()?)),
        "LSTM" => recurrent(sizes_in(0)?, sizes_in(1)?, sizes_in(2)?, (4, 9), given(3)),
        "GRU" => recurrent(sizes_in(0)?, sizes_in(1)?, sizes_in(2)?, (3, 8), given(3)),
        "Resize" => {
            match (attribute(node, "mode").map_or(&b"nearest"[..], Attribute::s), sizes_in(0)?) {
                (b"nearest", _) => Some(0),
                (b"linear", [_, _, _, _]) => n()?.checked_mul(9),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Of the input, its weights and the recurrent ones: `gates` products for each step, direction and
/// hidden number, two biases, and so many operations more.
fn recurrent(
    x: &[u64],
    weight: &[u64],
    recurrent: &[u64],
    (gates, more): (u64, u64),
    biased: bool,
) -> Option<u64> {
    let (&[steps, batch, features], &[directions, _, _]) = (x, weight) else { return None };
    let hidden = *recurrent.get(2)?;
    let biases = if biased { 2 } else { 0 };
    let terms = features.checked_add(hidden)?.checked_mul(2)?.checked_add(biases)?;
    let of_one = terms.checked_mul(gates)?.checked_add(more)?;
    numbers(&[steps, batch, directions, hidden, of_one])
}

/// The length of the sums of a matrix product.
fn terms(a: Option<&[u64]>, b: Option<&[u64]>) -> Option<u64> {
    match (a, b) {
        (Some(a), _) => a.last().copied(),
        (None, Some(b)) => b.get(b.len().saturating_sub(2)).copied(),
        (None, None) => None,
    }
}
