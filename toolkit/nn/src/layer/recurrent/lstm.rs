//! The LSTM.

use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{TryAdd, TryMul};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Attribute;

use super::Rows;
use super::cell::{Cell, Step, gate, joined, parts, sigmoid};
use crate::begin::Begin;
use crate::layer::Fault;
use crate::on_dfdx::{Backend, Real};

/// Long short-term memory (Hochreiter and Schmidhuber 1997; with forget gates Gers et al. 2000),
/// one layer: `[sequence, features]` becomes `[sequence, hidden_size]`. With σ the sigmoid, from h
/// and c that begin at 0:
///
/// ```text
/// i, f, g, o = σ, σ, tanh, σ of (W x + b + U h + d)
/// c = f · c + i · g
/// h = o · tanh(c)
/// ```
///
/// Parameters, with PyTorch's names and its order of the gates i, f, g, o: `weight_ih_l0` (4 ·
/// hidden, features), `weight_hh_l0` (4 · hidden, hidden), `bias_ih_l0` and `bias_hh_l0` (4 ·
/// hidden); for the other direction the same ending in `_reverse`. Weights begin uniform in
/// ±1/√hidden, as PyTorch's. Biases begin at 0, but that of the forget gate, in `bias_ih_l0`, at 1,
/// so that the memory lasts from the start (Jozefowicz et al. 2015); in PyTorch all begin uniform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lstm {
    /// How many units there are, in each direction.
    pub hidden_size: usize,
    /// Whether another set of units goes from the end to the beginning; its states stand behind
    /// those of the first. Default false.
    #[serde(default)]
    pub bidirectional: bool,
    /// Whether it gives the states of all steps, `[sequence, directions · hidden_size]`; otherwise
    /// the last one of each direction, `[directions · hidden_size]`. Default true.
    #[serde(default = "yes")]
    pub return_sequences: bool,
}

fn yes() -> bool {
    true
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const FLOPS: usize = 40;
    const ONE_GRADIENT: bool = true;
    const ONNX: &'static str = "LSTM";
    // i, o, f, g.
    const ONNX_ORDER: &'static [usize] = &[0, 3, 1, 2];

    fn onnx_attributes() -> Vec<(&'static str, Attribute)> {
        Vec::new()
    }

    fn biases(hidden: usize) -> [Begin; 2] {
        let forget = |i: usize| if i / hidden == 1 { 1.0 } else { 0.0 };
        [Begin::Values((0..4 * hidden).map(forget).collect()), Begin::ZEROS]
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        hidden: usize,
        input: Rows<E, D>,
        recurrent: Rows<E, D>,
        before: Option<(Rows<E, D>, Option<Rows<E, D>>)>,
    ) -> Result<(Rows<E, D>, Option<Rows<E, D>>), Fault> {
        let all = input.try_add(recurrent)?;
        let new =
            gate(&all, 0, hidden)?.try_sigmoid()?.try_mul(gate(&all, 2, hidden)?.try_tanh()?)?;
        let out = gate(&all, 3, hidden)?.try_sigmoid()?;
        let forget = gate(&all, 1, hidden)?.try_sigmoid()?;
        let memory = match before {
            Some((h, Some(memory))) => {
                let kept = forget.try_mul(memory)?;
                joined(new.try_add(kept)?, h)
            }
            _ => new,
        };
        let state = out.try_mul(memory.with_empty_tape().try_tanh()?)?;
        Ok((joined(state, all), Some(memory)))
    }

    fn step(
        gates: &mut [f32],
        recurrent: &[f32],
        _: &[f32],
        noted_before: &[f32],
        noted: &mut [f32],
        state: &mut [f32],
    ) {
        let hidden = state.len();
        gates.iter_mut().zip(recurrent).for_each(|(gate, more)| *gate += more);
        for (j, gate) in gates.chunks_exact_mut(hidden).enumerate() {
            match j {
                2 => gate.iter_mut().for_each(|x| *x = x.tanh()),
                _ => gate.iter_mut().for_each(|x| *x = sigmoid(*x)),
            }
        }
        let [i, f, g, o] = parts(gates, hidden);
        for u in 0..hidden {
            noted[u] = f[u] * noted_before[u] + i[u] * g[u];
            state[u] = o[u] * noted[u].tanh();
        }
    }

    fn back(
        step: &Step<'_>,
        gradient: &mut [f32],
        carried: &mut [f32],
        inputs: &mut [f32],
        _: &mut [f32],
    ) {
        let hidden = gradient.len();
        let [i, f, g, o] = parts(step.gates, hidden);
        for u in 0..hidden {
            let tanh = step.noted[u].tanh();
            let dc = carried[u] + gradient[u] * o[u] * (1.0 - tanh * tanh);
            inputs[u] = dc * g[u] * i[u] * (1.0 - i[u]);
            inputs[hidden + u] = dc * step.noted_before[u] * f[u] * (1.0 - f[u]);
            inputs[2 * hidden + u] = dc * i[u] * (1.0 - g[u] * g[u]);
            inputs[3 * hidden + u] = gradient[u] * tanh * o[u] * (1.0 - o[u]);
            carried[u] = dc * f[u];
            gradient[u] = 0.0;
        }
    }
}
