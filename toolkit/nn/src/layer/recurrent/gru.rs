//! The gated recurrent unit.

use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{TryAdd, TryMul, TrySub};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Attribute;

use super::Rows;
use super::cell::{Cell, Step, gate, joined, parts, sigmoid};
use crate::begin::Begin;
use crate::layer::Fault;
use crate::on_dfdx::{Backend, Real};

/// Gated recurrent units (Cho et al. 2014, arXiv:1406.1078), one layer: `[sequence, features]`
/// becomes `[sequence, hidden_size]`. With σ the sigmoid, from h that begins at 0:
///
/// ```text
/// r, z = σ of (W x + b + U h + d)
/// n = tanh(W x + b + r · (U h + d))
/// h = (1 − z) · n + z · h
/// ```
///
/// As in PyTorch and cuDNN `r` multiplies the product, where in the paper it multiplies h.
///
/// Parameters, with PyTorch's names and its order of the gates r, z, n: `weight_ih_l0` (3 · hidden,
/// features), `weight_hh_l0` (3 · hidden, hidden), `bias_ih_l0` and `bias_hh_l0` (3 · hidden); for
/// the other direction the same ending in `_reverse`. All begin uniform in ±1/√hidden, as
/// PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
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

impl Cell for Gru {
    const GATES: usize = 3;
    const FLOPS: usize = 30;
    const ONE_GRADIENT: bool = false;
    const ONNX: &'static str = "GRU";
    // z, r, n.
    const ONNX_ORDER: &'static [usize] = &[1, 0, 2];

    fn onnx_attributes() -> Vec<(&'static str, Attribute)> {
        vec![("linear_before_reset", Attribute::Int(1))]
    }

    fn biases(hidden: usize) -> [Begin; 2] {
        let bias = Begin::Uniform(1.0 / (hidden as f64).sqrt());
        [bias.clone(), bias]
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        hidden: usize,
        input: Rows<E, D>,
        recurrent: Rows<E, D>,
        before: Option<(Rows<E, D>, Option<Rows<E, D>>)>,
    ) -> Result<(Rows<E, D>, Option<Rows<E, D>>), Fault> {
        let both = |number: usize| -> Result<Rows<E, D>, Fault> {
            Ok(gate(&input, number, hidden)?.try_add(gate(&recurrent, number, hidden)?)?)
        };
        let (reset, keep) = (both(0)?.try_sigmoid()?, both(1)?.try_sigmoid()?);
        let through = reset.try_mul(gate(&recurrent, 2, hidden)?)?;
        let new = gate(&input, 2, hidden)?.try_add(through)?.try_tanh()?;
        // (1 − z) n + z h = n + z (h − n)
        let other = new.with_empty_tape();
        let state = match before {
            Some((h, _)) => new.try_add(keep.try_mul(h.try_sub(other)?)?)?,
            None => new.try_sub(keep.try_mul(other)?)?,
        };
        Ok((joined(joined(state, input), recurrent), None))
    }

    fn step(
        gates: &mut [f32],
        recurrent: &[f32],
        before: &[f32],
        _: &[f32],
        noted: &mut [f32],
        state: &mut [f32],
    ) {
        let hidden = state.len();
        let [_, _, through] = parts(recurrent, hidden);
        noted.copy_from_slice(through);
        let (both, new) = gates.split_at_mut(2 * hidden);
        both.iter_mut().zip(recurrent).for_each(|(gate, more)| *gate = sigmoid(*gate + more));
        let (reset, keep) = both.split_at(hidden);
        for u in 0..hidden {
            new[u] = (new[u] + reset[u] * through[u]).tanh();
            state[u] = new[u] + keep[u] * (before[u] - new[u]);
        }
    }

    fn back(
        step: &Step<'_>,
        gradient: &mut [f32],
        _: &mut [f32],
        inputs: &mut [f32],
        recurrents: &mut [f32],
    ) {
        let hidden = gradient.len();
        let [r, z, n] = parts(step.gates, hidden);
        for u in 0..hidden {
            let dn = gradient[u] * (1.0 - z[u]) * (1.0 - n[u] * n[u]);
            let dz = gradient[u] * (step.before[u] - n[u]) * z[u] * (1.0 - z[u]);
            let dr = dn * step.noted[u] * r[u] * (1.0 - r[u]);
            for sums in [&mut *inputs, &mut *recurrents] {
                sums[u] = dr;
                sums[hidden + u] = dz;
            }
            inputs[2 * hidden + u] = dn;
            recurrents[2 * hidden + u] = dn * r[u];
            gradient[u] *= z[u];
        }
    }
}
