//! Evaluates a graph in f64, with a margin for every number: how far a careful f32 evaluation may be from it.
//!
//! Both the trainer and ONNX Runtime must stay inside the margin. It is not a fixed tolerance, because those both miss errors and see some
//! that are none: it follows the numbers through the graph, in the way of a running error analysis (Wilkinson, "Error analysis
//! revisited", 1986; Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., §3.3), with u = 2⁻²⁴ and a factor of 4 for safety.
//!
//! - An operation adds its own rounding: 4u of the result, or of the operands where they cancel.
//! - A sum of k products adds 4u·√k·max(|largest partial sum|, ‖products‖₂): roundings are taken as independent, so that k of them grow
//!   like √k (Higham and Mary, SIAM J. Sci. Comput. 41, 2019), and the order of summation is left open.
//! - Margins of the operands go through: as √Σ(w·margin)² where many independent ones meet, as a plain sum where two do, and through a
//!   monotone function by its values at both ends of the margin.
//! - Rewriting that ONNX Runtime's optimiser does (BatchNormalization folded into Gemm) is allowed for.

use std::collections::BTreeMap;

use super::graph::{Graph, Node};
use super::operator::{Operator, Unary};

/// Four times the largest relative error of one f32 rounding.
const FOUR_U: f64 = 4.0 / (1_u64 << 24) as f64;

/// A value or weight: row-major numbers and, beside each, its margin.
#[derive(Clone, Debug, Default)]
pub(super) struct Margined {
    pub values: Vec<f64>,
    pub margins: Vec<f64>,
}

/// Every value of the graph by name. `input` holds `rows` rows.
///
/// # Errors
/// The reason, if the graph is not one that passes [`verify`](super::structure::verify).
pub(super) fn evaluate(graph: &Graph, input: &[f64], rows: usize) -> Result<BTreeMap<String, Margined>, String> {
    let exact = |values: Vec<f64>| Margined { margins: vec![0.0; values.len()], values };
    let mut known = BTreeMap::from([(graph.input.name.clone(), exact(input.to_vec()))]);
    for weight in &graph.weights {
        known.insert(weight.name.clone(), exact(weight.data.iter().map(|&number| f64::from(number)).collect()));
    }
    for node in &graph.nodes {
        let output = apply(node, &known, rows).map_err(|reason| format!("node {:?}: {reason}", node.name))?;
        known.insert(node.output.name.clone(), output);
    }
    Ok(known)
}

fn apply(node: &Node, known: &BTreeMap<String, Margined>, rows: usize) -> Result<Margined, String> {
    let operator = Operator::parse(&node.op, &node.attributes)?;
    let inputs = node.inputs.iter().map(|name| known.get(name).ok_or(format!("nothing is named {name:?}")));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let wrong_inputs = || format!("{} does not take {} inputs", node.op, inputs.len());
    let [x, others @ ..] = inputs.as_slice() else { return Err(wrong_inputs()) };
    let output = match (operator, others) {
        (Operator::Gemm { trans_b }, [weight]) => gemm(x, weight, None, trans_b, rows),
        (Operator::Gemm { trans_b }, [weight, bias]) => gemm(x, weight, Some(bias), trans_b, rows),
        (Operator::Add, [y]) => {
            binary(x, y, |x, y| x + y, |(x, dx), (y, dy)| dx + dy + FOUR_U * x.abs().max(y.abs()).max((x + y).abs()))
        }
        (Operator::Sub, [y]) => {
            binary(x, y, |x, y| x - y, |(x, dx), (y, dy)| dx + dy + FOUR_U * x.abs().max(y.abs()).max((x - y).abs()))
        }
        (Operator::Mul, [y]) => binary(
            x,
            y,
            |x, y| x * y,
            |(x, dx), (y, dy)| x.abs() * dy + y.abs() * dx + dx * dy + FOUR_U * (x * y).abs(),
        ),
        (Operator::Unary(unary), []) => each(x, |x, dx| apply_unary(unary, x, dx)),
        (Operator::Softmax, []) => by_row(x, rows, softmax),
        (Operator::LogSoftmax, []) => by_row(x, rows, log_softmax),
        (Operator::BatchNormalization { epsilon }, [scale, bias, mean, var]) => {
            let column =
                |j: usize| [scale.values[j], bias.values[j], mean.values[j], var.values[j] + f64::from(epsilon)];
            by_row(x, rows, |row| row.iter().enumerate().map(|(j, &x)| batch_normalization(x, column(j))).collect())
        }
        (Operator::LayerNormalization { epsilon }, [gamma, beta]) => {
            by_row(x, rows, |row| layer_normalization(row, &gamma.values, &beta.values, f64::from(epsilon)))
        }
        _ => return Err(wrong_inputs()),
    };
    Ok(output)
}

/// A number and its margin.
type Number = (f64, f64);

fn each(x: &Margined, f: impl Fn(f64, f64) -> Number) -> Margined {
    let (values, margins) = x.values.iter().zip(&x.margins).map(|(&x, &dx)| f(x, dx)).unzip();
    Margined { values, margins }
}

fn by_row(x: &Margined, rows: usize, f: impl Fn(&[Number]) -> Vec<Number>) -> Margined {
    let numbers: Vec<Number> = x.values.iter().copied().zip(x.margins.iter().copied()).collect();
    let (values, margins) = numbers.chunks_exact((numbers.len() / rows).max(1)).flat_map(f).unzip();
    Margined { values, margins }
}

/// `y` has x's shape, or one number per feature, or one number.
fn binary(
    x: &Margined,
    y: &Margined,
    value: impl Fn(f64, f64) -> f64,
    margin: impl Fn(Number, Number) -> f64,
) -> Margined {
    let numbers = x.values.iter().zip(&x.margins).enumerate().map(|(i, (&x, &dx))| {
        let (y, dy) = (y.values[i % y.values.len()], y.margins[i % y.values.len()]);
        (value(x, y), margin((x, dx), (y, dy)))
    });
    let (values, margins) = numbers.unzip();
    Margined { values, margins }
}

fn gemm(x: &Margined, weight: &Margined, bias: Option<&&Margined>, trans_b: bool, rows: usize) -> Margined {
    let inner = x.values.len() / rows;
    let outer = weight.values.len() / inner.max(1);
    let mut output = Margined::default();
    for row in 0..rows {
        let x_row = &x.values[row * inner..][..inner];
        let margins = &x.margins[row * inner..][..inner];
        for j in 0..outer {
            let (mut sum, mut largest, mut products, mut through) = (0.0_f64, 0.0_f64, 0.0, 0.0);
            for k in 0..inner {
                let w = weight.values[if trans_b { j * inner + k } else { k * outer + j }];
                let product = w * x_row[k];
                sum += product;
                largest = largest.max(sum.abs());
                products += product * product;
                through += (w * margins[k]).powi(2);
            }
            let bias = bias.map_or(0.0, |bias| bias.values[j]);
            let own = (inner as f64).sqrt() * largest.max(products.sqrt()) + bias.abs().max((sum + bias).abs());
            output.values.push(sum + bias);
            output.margins.push(through.sqrt() + FOUR_U * own);
        }
    }
    output
}

fn apply_unary(unary: Unary, x: f64, dx: f64) -> Number {
    let f = |x: f64| match unary {
        Unary::Identity => x,
        Unary::Relu => x.max(0.0),
        Unary::LeakyRelu { alpha } => x.max(0.0) + f64::from(alpha) * x.min(0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Erf => erf(x),
    };
    let y = f(x);
    let through = (f(x + dx) - y).abs().max((f(x - dx) - y).abs());
    let own = match unary {
        Unary::Identity => 0.0,
        Unary::Relu | Unary::LeakyRelu { .. } => FOUR_U * y.abs(),
        // Fast f32 versions are accurate relative to the function's range, not near its zeros.
        Unary::Sigmoid | Unary::Tanh | Unary::Erf => FOUR_U,
    };
    (y, through + own)
}

/// The series of Abramowitz and Stegun 7.1.6, all of whose terms have one sign.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (size, size, 0.0);
    while term > sum * f64::EPSILON {
        n += 1.0;
        term *= 2.0 * size * size / (2.0 * n + 1.0);
        sum += term;
    }
    (sum * (-size * size).exp() * std::f64::consts::FRAC_2_SQRT_PI).copysign(x)
}

/// The largest input of a row, its largest margin, and ln Σ exp(x − largest).
fn log_sum_exp(row: &[Number]) -> (f64, f64, f64) {
    let top = row.iter().fold(f64::NEG_INFINITY, |top, (x, _)| top.max(*x));
    let margin = row.iter().fold(0.0_f64, |margin, (_, dx)| margin.max(*dx));
    (top, margin, row.iter().map(|(x, _)| (x - top).exp()).sum::<f64>().ln())
}

fn softmax(row: &[Number]) -> Vec<Number> {
    let (top, margin, log_sum) = log_sum_exp(row);
    let number = |&(x, dx): &Number| {
        let y = (x - top - log_sum).exp();
        // An error of the exponent is a relative error of the result, which stays below 1.
        let exponent = dx + margin + FOUR_U * ((x - top).abs() + (row.len() as f64).sqrt());
        (y, (y * exponent.exp_m1()).min(1.0) + f64::from(f32::MIN_POSITIVE))
    };
    row.iter().map(number).collect()
}

fn log_softmax(row: &[Number]) -> Vec<Number> {
    let (top, margin, log_sum) = log_sum_exp(row);
    let number = |&(x, dx): &Number| {
        let y = x - top - log_sum;
        (y, dx + margin + FOUR_U * (x.abs() + top.abs() + y.abs() + log_sum + (row.len() as f64).sqrt()))
    };
    row.iter().map(number).collect()
}

fn batch_normalization((x, dx): Number, [scale, bias, mean, var]: [f64; 4]) -> Number {
    let slope = scale / var.sqrt();
    let y = (x - mean) * slope + bias;
    // |x| + |mean| and not |x − mean|: folded into the layer before it, the two are no longer subtracted first.
    (y, slope.abs() * dx + FOUR_U * (slope.abs() * (x.abs() + mean.abs()) + bias.abs().max(y.abs())))
}

fn layer_normalization(row: &[Number], gamma: &[f64], beta: &[f64], epsilon: f64) -> Vec<Number> {
    let width = row.len() as f64;
    let mean = row.iter().map(|(x, _)| x).sum::<f64>() / width;
    let var = row.iter().map(|(x, _)| (x - mean).powi(2)).sum::<f64>() / width;
    let std = (var + epsilon).sqrt();
    let largest = row.iter().fold(0.0_f64, |largest, (x, _)| largest.max(x.abs()));
    let margin = row.iter().fold(0.0_f64, |margin, (_, dx)| margin.max(*dx));
    // Of x − mean(x), for the x with the widest margin: x's own, the mean's, and that of summing `width` numbers.
    let centred = 2.0 * margin + FOUR_U * width.sqrt() * largest;
    let relative = (2.0 * var.sqrt() * centred + centred * centred) / (2.0 * (var + epsilon)) + FOUR_U * width.sqrt();
    let number = |((&(x, _), gamma), beta): ((&Number, &f64), &f64)| {
        let scaled = (x - mean) / std * gamma;
        let y = scaled + beta;
        (y, gamma.abs() * centred / std + scaled.abs() * relative + FOUR_U * scaled.abs().max(beta.abs()))
    };
    row.iter().zip(gamma).zip(beta).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// Abramowitz and Stegun, table 7.1, with the digits of C's `erf`.
    #[test]
    fn erf_is_the_tabulated_one() {
        let known = [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (-3.0, -0.999_977_909_503_001_4),
            (1e6, 1.0),
        ];
        for (x, y) in known {
            assert!((erf(x) - y).abs() < 1e-14, "erf({x}) = {}, not {y}", erf(x));
        }
    }
}
