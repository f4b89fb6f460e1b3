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
//! - Moving numbers about moves their margins with them; a largest or smallest number has the
//!   widest margin of those it was picked from.
//! - Rewriting that ONNX Runtime's optimiser does (BatchNormalization folded into Gemm) is allowed
//!   for.

mod arrange;
mod elementwise;
mod margined;
mod normalization;
mod product;
mod reduce;

use std::collections::BTreeMap;

use super::array::{Array, Wire};
use super::graph::{Graph, Node, rows_shape};
use super::operator::Operator;
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
        let output =
            apply(node, &known).map_err(|reason| format!("node {:?}: {reason}", node.name))?;
        known.insert(node.output.name.clone(), output);
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

fn apply(node: &Node, known: &BTreeMap<String, Margined>) -> Result<Margined, String> {
    let operator = Operator::parse(&node.op, &node.attributes)?;
    let names = operator.given(&node.inputs)?.into_iter();
    let inputs = names.map(|name| known.get(name).ok_or(format!("nothing is named {name:?}")));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let wrong_inputs = || format!("{} does not take {} inputs", node.op, inputs.len());
    let [x, others @ ..] = inputs.as_slice() else { return Err(wrong_inputs()) };
    let output = match (operator, others) {
        (Operator::Gemm { trans_b }, [weight]) => product::gemm(x, weight, None, trans_b),
        (Operator::Gemm { trans_b }, [weight, bias]) => {
            product::gemm(x, weight, Some(bias), trans_b)
        }
        (Operator::MatMul, [y]) => product::matmul(x, y),
        (Operator::Binary(binary), [y]) => elementwise::binary(binary, x, y),
        (Operator::PRelu, [slope]) => elementwise::prelu(x, slope),
        (Operator::Unary(unary), []) => elementwise::unary(unary, x),
        (Operator::Softmax, []) => x.by_row(normalization::softmax),
        (Operator::LogSoftmax, []) => x.by_row(normalization::log_softmax),
        (Operator::BatchNormalization { epsilon }, [scale, bias, mean, var]) => {
            normalization::batch(x, [scale, bias, mean, var], f64::from(epsilon))
        }
        (Operator::LayerNormalization { epsilon }, [gamma, beta]) => x.by_row(|row| {
            normalization::layer(row, &gamma.values, &beta.values, f64::from(epsilon))
        }),
        (Operator::Reduce { fold, axes, keep }, []) => reduce::reduce(x, fold, &axes, keep),
        (Operator::ArgMax, []) => reduce::arg_max(x),
        (Operator::Transpose { perm }, []) => arrange::transpose(x, &perm),
        (Operator::Reshape, [shape]) => arrange::reshape(x, &shape.values),
        (Operator::Gather { axis }, [indices]) => arrange::gather(x, indices, axis)?,
        (Operator::Resize, [scales]) => arrange::resize(x, &scales.values)?,
        _ => return Err(wrong_inputs()),
    };
    Ok(output)
}
