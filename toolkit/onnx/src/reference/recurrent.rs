//! LSTM and GRU, step after step.

use super::elementwise::apply;
use super::margined::{FOUR_U, Margined, Number};
use super::product::dot;
use super::unary::apply_unary;
use crate::operator::{Binary, Cell, Recurrent, Unary};

/// ONNX Runtime's GRU computes tanh by a shorter series than its LSTM and its Tanh: 1.32 was seen
/// at 10.1 u.
const SHORT_SERIES: f64 = 2.0 * FOUR_U;

fn add(x: Number, y: Number) -> Number {
    apply(Binary::Add, x, y)
}

fn mul(x: Number, y: Number) -> Number {
    apply(Binary::Mul, x, y)
}

fn sigmoid(x: Number) -> Number {
    apply_unary(Unary::Sigmoid, x)
}

fn tanh(x: Number) -> Number {
    apply_unary(Unary::Tanh, x)
}

/// One direction's weights.
struct Weights<'a> {
    input: &'a Margined,
    recurrent: &'a Margined,
    /// Of the input's products, then of the recurrent ones.
    bias: Option<&'a Margined>,
    direction: usize,
    gates: usize,
    hidden: usize,
}

impl Weights<'_> {
    fn products(&self, of: &Margined, gate: usize, j: usize, x: &[Number]) -> Number {
        let start = ((self.direction * self.gates + gate) * self.hidden + j) * x.len();
        let pairs = x.iter().enumerate().map(|(k, &x)| (x, of.number(start + k)));
        let (sum, through, own) = dot(pairs);
        (sum, through + FOUR_U * own)
    }

    /// The bias number `j` of a gate, of the input (0) or of the recurrent products (1).
    fn bias(&self, which: usize, gate: usize, j: usize) -> Number {
        self.bias.map_or((0.0, 0.0), |bias| {
            let row = (self.direction * 2 + which) * self.gates + gate;
            bias.number(row * self.hidden + j)
        })
    }

    fn input_part(&self, gate: usize, j: usize, x: &[Number]) -> Number {
        add(self.products(self.input, gate, j, x), self.bias(0, gate, j))
    }

    fn hidden_part(&self, gate: usize, j: usize, h: &[Number]) -> Number {
        add(self.products(self.recurrent, gate, j, h), self.bias(1, gate, j))
    }

    fn gate(&self, gate: usize, j: usize, (x, h): (&[Number], &[Number])) -> Number {
        add(self.input_part(gate, j, x), self.hidden_part(gate, j, h))
    }

    /// `h' = o ⊙ tanh(c')`, `c' = f ⊙ c + i ⊙ tanh(…)`.
    fn lstm(&self, x: &[Number], h: &[Number], c: &[Number]) -> (Vec<Number>, Vec<Number>) {
        let each = (0..self.hidden).map(|j| {
            let gate = |gate| self.gate(gate, j, (x, h));
            let (i, o, f, g) =
                (sigmoid(gate(0)), sigmoid(gate(1)), sigmoid(gate(2)), tanh(gate(3)));
            let c = add(mul(f, c[j]), mul(i, g));
            (mul(o, tanh(c)), c)
        });
        each.unzip()
    }

    /// `h' = (1 − z) ⊙ n + z ⊙ h`.
    fn gru(&self, x: &[Number], h: &[Number], linear_before_reset: bool) -> Vec<Number> {
        let reset: Vec<Number> =
            (0..self.hidden).map(|j| sigmoid(self.gate(1, j, (x, h)))).collect();
        let kept: Vec<Number> = reset.iter().zip(h).map(|(&r, &h)| mul(r, h)).collect();
        let each = (0..self.hidden).map(|j| {
            let recurrent = if linear_before_reset {
                mul(reset[j], self.hidden_part(2, j, h))
            } else {
                self.hidden_part(2, j, &kept)
            };
            let (z, dz) = sigmoid(self.gate(0, j, (x, h)));
            let (new, d_new) = tanh(add(self.input_part(2, j, x), recurrent));
            let d_new = d_new + SHORT_SERIES;
            let (old, d_old) = h[j];
            // An error of z moves the result by what old and new differ, not by each of them.
            let through = (1.0 - z) * d_new + z * d_old + dz * ((old - new).abs() + d_new + d_old);
            (new + z * (old - new), through + FOUR_U * new.abs().max(old.abs()))
        });
        each.collect()
    }
}

/// Every step `[steps, directions, batch, hidden]`, and the last states `[directions, batch,
/// hidden]`. `more` are biases, lengths (never given) and initial states, as far as there are any.
pub(super) fn recurrent(
    operator: &Recurrent,
    x: &Margined,
    [input, recurrent]: [&Margined; 2],
    more: &[&Margined],
) -> Vec<Margined> {
    let (cell, hidden) = (operator.cell, operator.hidden);
    let (steps, batch, features) = (x.shape[0], x.shape[1], x.shape[2]);
    let directions = operator.directions();
    let given = |i: usize| more.get(i).copied().filter(|given| !given.values.is_empty());
    let numbers: Vec<Number> = x.numbers().collect();
    let mut every = vec![(0.0, 0.0); steps * directions.len() * batch * hidden];
    let mut last = vec![Vec::new(); cell.states()];
    for (direction, &backward) in directions.iter().enumerate() {
        let gates = cell.gates();
        let weights = Weights { input, recurrent, bias: given(0), direction, gates, hidden };
        for row in 0..batch {
            let start = |state: usize| match given(2 + state) {
                Some(given) => {
                    let at = (direction * batch + row) * hidden;
                    (at..at + hidden).map(|at| given.number(at)).collect()
                }
                None => vec![(0.0, 0.0); hidden],
            };
            let (mut h, mut c): (Vec<Number>, Vec<Number>) = (start(0), start(1));
            for step in 0..steps {
                let step = if backward { steps - 1 - step } else { step };
                let x = &numbers[(step * batch + row) * features..][..features];
                match cell {
                    Cell::Lstm => (h, c) = weights.lstm(x, &h, &c),
                    Cell::Gru { linear_before_reset } => {
                        h = weights.gru(x, &h, linear_before_reset);
                    }
                }
                let at = ((step * directions.len() + direction) * batch + row) * hidden;
                every[at..at + hidden].copy_from_slice(&h);
            }
            for (last, state) in last.iter_mut().zip([h, c]) {
                last.extend(state);
            }
        }
    }
    let shape = vec![directions.len(), batch, hidden];
    let every = Margined::new([&[steps], shape.as_slice()].concat(), every.into_iter());
    let last = last.into_iter().map(|last| Margined::new(shape.clone(), last.into_iter()));
    [every].into_iter().chain(last).collect()
}
