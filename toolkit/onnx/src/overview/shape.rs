//! Sizes at one row, where the file does not state them: of the common operators, and only where
//! they follow from the inputs' sizes.

use std::collections::HashMap;

use super::operators::{PAIRS, SINGLE, is_onnx};
use crate::proto::{AttributeProto as Attribute, NodeProto as Node};

/// The sizes of the values that are known, by name.
pub(super) type Sizes<'a> = HashMap<&'a str, Vec<u64>>;

/// How many numbers there are.
pub(super) fn numbers(sizes: &[u64]) -> Option<u64> {
    sizes.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))
}

/// The sizes of an input, if it is given and they are known.
pub(super) fn input<'a>(node: &Node, sizes: &'a Sizes<'_>, i: usize) -> Option<&'a [u64]> {
    sizes.get(node.input.get(i)?.as_str()).map(Vec::as_slice)
}

pub(super) fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn int(node: &Node, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, Attribute::i)
}

/// Adds the sizes of the node's first output, and of the scale and zero point that quantising
/// computes.
pub(super) fn infer<'a>(node: &'a Node, sizes: &mut Sizes<'a>) {
    if node.op_type == "DynamicQuantizeLinear" && is_onnx(node) {
        sizes.extend(node.output.iter().skip(1).map(|name| (name.as_str(), Vec::new())));
    }
    let Some(output) = node.output.first().filter(|name| !sizes.contains_key(name.as_str())) else {
        return;
    };
    if let Some(found) = first_output(node, sizes).filter(|_| is_onnx(node)) {
        sizes.insert(output, found);
    }
}

fn first_output(node: &Node, sizes: &Sizes<'_>) -> Option<Vec<u64>> {
    let input = |i| input(node, sizes, i);
    match node.op_type.as_str() {
        "Constant" => match node.attribute.as_slice() {
            [Attribute { t: Some(tensor), .. }] => unsigned(&tensor.dims),
            [value] if ["value_float", "value_int"].contains(&value.name.as_str()) => {
                Some(Vec::new())
            }
            _ => None,
        },
        op if SINGLE.contains(&op) => Some(input(0)?.to_vec()),
        "Identity"
        | "Dropout"
        | "Cast"
        | "Softmax"
        | "LogSoftmax"
        | "BatchNormalization"
        | "LayerNormalization"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "RMSNormalization"
        | "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear" => Some(input(0)?.to_vec()),
        op if PAIRS.contains(&op) || ["Sum", "Max", "Min", "Mean", "Where"].contains(&op) => {
            let mut inputs = (0..node.input.len()).map(input);
            let first = inputs.next()??.to_vec();
            inputs.try_fold(first, |shape, other| broadcast(&shape, other?))
        }
        "MatMul" | "MatMulInteger" => product(input(0)?, input(1)?),
        "QLinearMatMul" => product(input(0)?, input(3)?),
        "Gemm" => {
            let (&[a, a_last], &[b, b_last]) = (input(0)?, input(1)?) else { return None };
            let rows = if int(node, "transA", 0) == 0 { a } else { a_last };
            Some(vec![rows, if int(node, "transB", 0) == 0 { b_last } else { b }])
        }
        "Conv" | "ConvInteger" => convolution(node, input(0)?, input(1)?),
        "QLinearConv" => convolution(node, input(0)?, input(3)?),
        "MaxPool" | "AveragePool" => {
            let (x, kernel) = (input(0)?, unsigned(&attribute(node, "kernel_shape")?.ints)?);
            Some([x.get(..2)?, &window(node, x.get(2..)?, &kernel)?].concat())
        }
        "GlobalAveragePool" | "GlobalMaxPool" => {
            let x = input(0)?;
            Some(
                x.iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { 1 }).collect(),
            )
        }
        "ConvTranspose" => transposed_convolution(node, input(0)?, input(1)?),
        "LSTM" | "GRU" => {
            let (&[steps, batch, _], &[directions, _, hidden]) = (input(0)?, input(2)?) else {
                return None;
            };
            Some(vec![steps, directions, batch, hidden])
        }
        "Concat" => {
            let mut shape = input(0)?.to_vec();
            let along = axis(attribute(node, "axis")?.i(), shape.len())?;
            for i in 1..node.input.len() {
                let size = shape.get_mut(along)?;
                *size = size.checked_add(*input(i)?.get(along)?)?;
            }
            Some(shape)
        }
        "Flatten" => {
            let x = input(0)?;
            let (before, after) = x.split_at_checked(axis(int(node, "axis", 1), x.len())?)?;
            Some(vec![numbers(before)?, numbers(after)?])
        }
        "Transpose" => {
            let x = input(0)?;
            match attribute(node, "perm") {
                Some(perm) if perm.ints.len() == x.len() => perm
                    .ints
                    .iter()
                    .map(|&axis| x.get(usize::try_from(axis).ok()?).copied())
                    .collect(),
                Some(_) => None,
                None => Some(x.iter().rev().copied().collect()),
            }
        }
        _ => None,
    }
}

/// An axis that may be counted from the end.
fn axis(axis: i64, rank: usize) -> Option<usize> {
    usize::try_from(if axis < 0 { axis.checked_add_unsigned(rank as u64)? } else { axis }).ok()
}

fn unsigned(numbers: &[i64]) -> Option<Vec<u64>> {
    numbers.iter().map(|&number| u64::try_from(number).ok()).collect()
}

fn broadcast(a: &[u64], b: &[u64]) -> Option<Vec<u64>> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let ones = long.len() - short.len();
    let size = |(axis, &size): (usize, &u64)| match axis.checked_sub(ones).map(|axis| short[axis]) {
        None | Some(1) => Some(size),
        Some(other) => (size == 1 || size == other).then_some(other),
    };
    long.iter().enumerate().map(size).collect()
}

/// Of two matrices, or of stacks of them; a row of numbers on the left is one row, on the right one
/// column, and both go away.
fn product(a: &[u64], b: &[u64]) -> Option<Vec<u64>> {
    let (left, rows) =
        if let [left @ .., rows, _] = a { (left, Some(*rows)) } else { (&[][..], None) };
    let (right, columns) =
        if let [right @ .., _, columns] = b { (right, Some(*columns)) } else { (&[][..], None) };
    let mut shape = broadcast(left, right)?;
    shape.extend(rows.into_iter().chain(columns));
    Some(shape)
}

fn convolution(node: &Node, x: &[u64], weight: &[u64]) -> Option<Vec<u64>> {
    let places = window(node, x.get(2..)?, weight.get(2..)?)?;
    Some([&[*x.first()?, *weight.first()?], places.as_slice()].concat())
}

fn transposed_convolution(node: &Node, x: &[u64], weight: &[u64]) -> Option<Vec<u64>> {
    let auto_pad = attribute(node, "auto_pad").is_some_and(|found| found.s() != b"NOTSET");
    if auto_pad || attribute(node, "output_shape").is_some() {
        return None;
    }
    let (sizes, kernel) = (x.get(2..)?, weight.get(2..)?);
    let each = |name, default, len| each(node, name, default, len);
    let (strides, dilations) =
        (each("strides", 1, sizes.len())?, each("dilations", 1, sizes.len())?);
    let (more, pads) = (each("output_padding", 0, sizes.len())?, each("pads", 0, 2 * sizes.len())?);
    let place = |axis: usize| {
        let spread = sizes[axis].checked_sub(1)?.checked_mul(strides[axis])?;
        let reach = kernel.get(axis)?.checked_sub(1)?.checked_mul(dilations[axis])?;
        let whole = spread.checked_add(reach)?.checked_add(1)?.checked_add(more[axis])?;
        whole.checked_sub(pads[axis])?.checked_sub(pads[axis + sizes.len()])
    };
    let places: Vec<u64> = (0..sizes.len()).map(place).collect::<Option<_>>()?;
    let group = u64::try_from(int(node, "group", 1)).ok()?;
    let channels = weight.get(1)?.checked_mul(group)?;
    Some([&[*x.first()?, channels], places.as_slice()].concat())
}

/// Numbers for each axis, or as many at their default.
fn each(node: &Node, name: &str, default: u64, len: usize) -> Option<Vec<u64>> {
    match attribute(node, name) {
        Some(found) => unsigned(&found.ints).filter(|numbers| numbers.len() == len),
        None => Some(vec![default; len]),
    }
}

/// How many places a window has on each axis.
fn window(node: &Node, x: &[u64], kernel: &[u64]) -> Option<Vec<u64>> {
    let each = |name, default, len| each(node, name, default, len);
    let (strides, dilations) = (each("strides", 1, x.len())?, each("dilations", 1, x.len())?);
    let mut pads = each("pads", 0, 2 * x.len())?;
    match attribute(node, "auto_pad").map_or(&b"NOTSET"[..], Attribute::s) {
        b"NOTSET" => {}
        b"VALID" => pads.fill(0),
        b"SAME_UPPER" | b"SAME_LOWER" => {
            return x
                .iter()
                .zip(&strides)
                .map(|(size, &stride)| (stride > 0).then(|| size.div_ceil(stride)))
                .collect();
        }
        _ => return None,
    }
    let place = |axis: usize| {
        let reach =
            kernel.get(axis)?.checked_sub(1)?.checked_mul(dilations[axis])?.checked_add(1)?;
        let padded = x[axis].checked_add(pads[axis])?.checked_add(pads[axis + x.len()])?;
        let (steps, stride) = (padded.checked_sub(reach)?, strides[axis]);
        let cut = steps.checked_rem(stride)? > 0 && int(node, "ceil_mode", 0) != 0;
        // Rounding up has rules of its own about the last window.
        if cut { None } else { Some(steps / stride + 1) }
    };
    if kernel.len() == x.len() { (0..x.len()).map(place).collect() } else { None }
}
