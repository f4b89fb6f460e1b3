//! Evaluates a graph in f64, with a margin for every number: how far a careful f32 evaluation may
//! be from it.
//!
//! Both the trainer and ONNX Runtime must stay inside the margin. It is not a fixed tolerance,
//! because those both miss errors and see some that are none: it follows the numbers through the
//! graph, in the way of a running error analysis (Wilkinson, "Error analysis revisited", 1986;
//! Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., §3.3), with u = 2⁻²⁴ and a
//! factor of 4 for safety.
//!
//! - An operation adds its own rounding: 4u of the result, or of the operands where they cancel.
//! - A sum of k products adds 4u·√k·max(|largest partial sum|, ‖products‖₂): roundings are taken as
//!   independent, so that k of them grow like √k (Higham and Mary, SIAM J. Sci. Comput. 41, 2019),
//!   and the order of summation is left open.
//! - Margins of the operands go through: as √Σ(w·margin)² where many independent ones meet, as a
//!   plain sum where two do, and through a monotone function by its values at both ends of the
//!   margin.
//! - The place of the largest number is certain, or has as its margin the way to the farthest one
//!   that may be the largest too.
//! - A comparison is certain, or has the margin 1; a choice by one that is not may be either.
//! - Moving numbers about moves their margins with them; a largest or smallest number has the
//!   widest margin of those it was picked from.
//! - Rewriting that ONNX Runtime's optimiser does (BatchNormalization folded into Gemm) is allowed
//!   for.

mod arrange;
mod cut;
mod elementwise;
mod margined;
mod normalization;
mod product;
mod recurrent;
mod reduce;
mod unary;
mod window;

use std::collections::BTreeMap;

use super::array::{Array, Wire};
use super::graph::{Graph, Node, rows_shape};
use super::operator::{Binary, Fold, Operator};
use crate::Error;

pub(super) use margined::Margined;

impl Graph {
    /// Evaluates in f64 a graph that takes one array of floats and returns one: `input` holds
    /// `rows` rows of [`input_width`](Self::input_width) numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if the graph takes something else or `input` has another length.
    pub fn evaluate_f64(&self, input: &[f64], rows: usize) -> Result<Vec<f64>, Error> {
        let shape = rows_shape(&self.inputs, input.len(), rows)?;
        let outputs = self.evaluate(vec![Margined::exact(shape, input.to_vec())])?;
        Ok(outputs.into_iter().next().unwrap_or_default())
    }

    /// Evaluates the graph in f64: its outputs, each row-major.
    ///
    /// # Errors
    /// [`Error::Setting`] if the arrays are not what the graph takes.
    pub fn evaluate_f64_on(&self, inputs: &[Array]) -> Result<Vec<Vec<f64>>, Error> {
        Array::expect(inputs, &self.inputs)?;
        self.evaluate(
            inputs
                .iter()
                .map(|input| Margined::exact(input.shape.clone(), input.widen()))
                .collect(),
        )
    }

    fn evaluate(&self, inputs: Vec<Margined>) -> Result<Vec<Vec<f64>>, Error> {
        let no_form = |reason| Error::NoOnnxForm { layer: "the model".into(), reason };
        let mut values = evaluate(self, inputs).map_err(no_form)?;
        Ok(self
            .outputs
            .iter()
            .map(|output| values.remove(&output.name).unwrap_or_default().values)
            .collect())
    }
}

/// Every value of the graph by name. `inputs` are as the graph takes them.
///
/// # Errors
/// The reason, if the graph is not one that passes [`verify`](super::structure::verify).
pub(super) fn evaluate(
    graph: &Graph,
    inputs: Vec<Margined>,
) -> Result<BTreeMap<String, Margined>, String> {
    let mut known: BTreeMap<_, _> =
        graph.inputs.iter().map(|input| input.name.clone()).zip(inputs).collect();
    for weight in &graph.weights {
        let values = weight.data.iter().map(|&number| f64::from(number)).collect();
        known.insert(weight.name.clone(), Margined::exact(weight.shape.clone(), values));
    }
    for row in &graph.integers {
        #[allow(clippy::cast_precision_loss, reason = "shapes and indices are small")]
        let values: Vec<f64> = row.data.iter().map(|&number| number as f64).collect();
        known.insert(row.name.clone(), Margined::exact(vec![values.len()], values));
    }
    for node in &graph.nodes {
        let outputs =
            apply(node, &known).map_err(|reason| format!("node {:?}: {reason}", node.name))?;
        known.extend(node.outputs.iter().map(|output| output.name.clone()).zip(outputs));
    }
    Ok(known)
}

/// The graph's outputs among all of its values, in order.
pub(super) fn outputs_of(graph: &Graph, mut values: BTreeMap<String, Margined>) -> Vec<Margined> {
    graph.outputs.iter().map(|output| values.remove(&output.name).unwrap_or_default()).collect()
}

/// Inputs for the f64 evaluation.
pub(super) fn widen(arrays: &[Array]) -> Vec<Margined> {
    arrays.iter().map(|array| Margined::exact(array.shape.clone(), array.widen())).collect()
}

/// Its outputs; there may be more than it states.
fn apply(node: &Node, known: &BTreeMap<String, Margined>) -> Result<Vec<Margined>, String> {
    let operator = Operator::parse(&node.op, &node.attributes)?;
    let absent = Margined::default();
    let names = operator.given(&node.inputs)?.into_iter();
    let inputs = names.map(|name| match name {
        "" => Ok(&absent),
        name => known.get(name).ok_or(format!("nothing is named {name:?}")),
    });
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let wrong_inputs = || format!("{} does not take {} inputs", node.op, inputs.len());
    let [x, others @ ..] = inputs.as_slice() else { return Err(wrong_inputs()) };
    let output = match (&operator, others) {
        (Operator::Gemm { trans_b }, [weight]) => product::gemm(x, weight, None, *trans_b),
        (Operator::Gemm { trans_b }, [weight, bias]) => {
            product::gemm(x, weight, Some(bias), *trans_b)
        }
        (Operator::MatMul, [y]) => product::matmul(x, y),
        (Operator::Binary(binary), [y]) => elementwise::binary(*binary, x, y),
        (Operator::Binary(binary @ (Binary::Max | Binary::Min)), [y, more @ ..]) => {
            let first = elementwise::binary(*binary, x, y);
            more.iter().fold(first, |x, y| elementwise::binary(*binary, &x, y))
        }
        (Operator::Compare(compare), [y]) => elementwise::compare(*compare, x, y),
        (Operator::Cast, []) => {
            Margined::new(x.shape.clone(), x.numbers().map(elementwise::to_bool))
        }
        (Operator::Where, [a, b]) => elementwise::choose(x, a, b),
        (Operator::Clip, bounds) => unary::clip(x, bounds),
        (Operator::PRelu, [slope]) => elementwise::prelu(x, slope),
        (Operator::Unary(unary), []) => unary::unary(*unary, x),
        (Operator::Softmax, []) => x.by_row(normalization::softmax),
        (Operator::LogSoftmax, []) => x.by_row(normalization::log_softmax),
        (Operator::BatchNormalization { epsilon }, [scale, bias, mean, var]) => {
            normalization::batch(x, [scale, bias, mean, var], f64::from(*epsilon))
        }
        (Operator::InstanceNormalization { epsilon }, [gamma, beta]) => {
            normalization::instance(x, &gamma.values, &beta.values, f64::from(*epsilon))
        }
        (Operator::LayerNormalization { epsilon }, [gamma, beta]) => x.by_row(|row| {
            normalization::layer(row, &gamma.values, &beta.values, f64::from(*epsilon))
        }),
        (Operator::Reduce { fold, axes, keep }, []) => reduce::reduce(x, *fold, axes, *keep),
        (Operator::ReduceSum { keep }, [axes]) => {
            reduce::reduce(x, Fold::Sum, &cut::axes(axes, x.shape.len())?, *keep)
        }
        (Operator::GlobalAveragePool, []) => {
            let axes: Vec<usize> = (2..x.shape.len()).collect();
            reduce::reduce(x, Fold::Mean, &axes, true)
        }
        (Operator::ArgMax, []) => reduce::arg_max(x),
        (Operator::Transpose { perm }, []) => arrange::transpose(x, perm),
        (Operator::Reshape, [shape]) => arrange::reshape(x, &shape.values),
        (Operator::Flatten, []) => arrange::flatten(x),
        (Operator::Gather { axis }, [indices]) => arrange::gather(x, indices, *axis)?,
        (Operator::Resize, [scales]) => arrange::resize(x, &scales.values)?,
        (Operator::Conv { window, group }, [weight, bias @ ..]) => {
            window::conv(x, weight, bias.first().copied(), window, *group)?
        }
        (Operator::ConvTranspose { window, output_padding, group }, [weight, bias @ ..]) => {
            let bias = bias.first().copied();
            window::conv_transpose(x, weight, bias, window, output_padding, *group)?
        }
        (Operator::MaxPool(window), []) => {
            window::pool(x, window, |group, _| reduce::of(Fold::Max, group))?
        }
        (Operator::AveragePool { window, count_include_pad }, []) => {
            window::pool(x, window, |group, size| {
                reduce::mean(group, if *count_include_pad { size } else { group.len() })
            })?
        }
        (Operator::Concat { axis }, others) => cut::concat(x, others, *axis)?,
        (Operator::Split { axis }, parts) => {
            return cut::split(x, parts.first().copied(), *axis, node.outputs.len());
        }
        (Operator::Slice, [starts, ends, more @ ..]) => cut::slice(x, starts, ends, more)?,
        (Operator::Pad, [pads, value @ ..]) => {
            cut::pad(x, pads, value.first().map_or((0.0, 0.0), |value| value.number(0)))
        }
        (Operator::Expand, [shape]) => {
            let sizes: Vec<usize> = shape.values.iter().map(|&size| arrange::index(size)).collect();
            elementwise::expand(x, &sizes)
        }
        (Operator::Squeeze, [axes]) => cut::squeeze(x, axes)?,
        (Operator::Unsqueeze, [axes]) => cut::unsqueeze(x, axes)?,
        (Operator::Recurrent(recurrent), [weight, recurrent_weight, more @ ..]) => {
            return Ok(recurrent::recurrent(recurrent, x, [weight, recurrent_weight], more));
        }
        _ => return Err(wrong_inputs()),
    };
    Ok(vec![output])
}
