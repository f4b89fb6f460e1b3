//! Functions with one or two horizontal asymptotes.

use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{TryAdd, TrySub};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Activation, Chain};
use crate::layer::{Autocast, Fault};
use crate::on_dfdx::{Backend, Real, Taped};
use crate::onnx_form::OnnxPass;

/// How near to its ends a tanh is flat: its slope there is 1 − 0.97², 5.9 % of the largest.
const FLAT: f32 = 0.97;

/// `1 / (1 + e⁻ˣ)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sigmoid;

impl Activation for Sigmoid {
    const KIND: &'static str = "Sigmoid";
    const FLOPS: usize = 6;
    const OF_INPUT: bool = false;

    fn flat(&self) -> Option<fn(f32) -> bool> {
        Some(|y| (2.0 * y - 1.0).abs() > FLAT)
    }

    fn value(&self, x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    fn slope(&self, y: f32) -> f32 {
        y * (1.0 - y)
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_sigmoid()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Sigmoid", &[&x.name], &[])
    }
}

/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tanh;

impl Activation for Tanh {
    const KIND: &'static str = "Tanh";
    const FLOPS: usize = 8;
    const OF_INPUT: bool = false;

    fn gain(&self) -> f64 {
        5.0 / 3.0
    }

    fn flat(&self) -> Option<fn(f32) -> bool> {
        Some(|y| y.abs() > FLAT)
    }

    fn value(&self, x: f32) -> f32 {
        x.tanh()
    }

    fn slope(&self, y: f32) -> f32 {
        1.0 - y * y
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_tanh()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Tanh", &[&x.name], &[])
    }
}

/// `ln(1 + eˣ)`, as `max(x, 0) + ln(1 + e^−|x|)`, which overflows nowhere (Dugas et al. 2001).
///
/// PyTorch's with its defaults, beta 1 and threshold 20.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softplus;

impl Activation for Softplus {
    const KIND: &'static str = "Softplus";
    const FLOPS: usize = 14;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        softplus(x)
    }

    fn slope(&self, x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        softplus_on_dfdx(x)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(softplus_in_onnx(Chain::new(pass, x))?.value)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Full
    }
}

pub(super) fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

pub(super) fn softplus_on_dfdx<E: Real, D: Backend<E>>(
    x: Taped<(usize,), E, D>,
) -> Result<Taped<(usize,), E, D>, Fault> {
    // −|x| as min(x, 0) − max(x, 0): at 0 the derivative is then ½, where that of |x| is 0.
    let above = x.with_empty_tape().try_relu()?;
    let away = below_zero(x)?.try_sub(above.with_empty_tape())?;
    Ok(away.try_exp()?.try_add(E::of(1.0))?.try_ln()?.try_add(above)?)
}

/// `min(x, 0)`, with the derivative 1 at 0.
pub(super) fn below_zero<E: Real, D: Backend<E>>(
    x: Taped<(usize,), E, D>,
) -> Result<Taped<(usize,), E, D>, Fault> {
    Ok(x.try_clamp(f64::NEG_INFINITY, 0.0)?)
}

/// ONNX's own Softplus may be computed as it is written, and then overflows.
pub(super) fn softplus_in_onnx<'p, 'a>(x: Chain<'p, 'a>) -> Result<Chain<'p, 'a>, Fault> {
    let input = x.value.clone();
    let positive = x.pass.node("Relu", &[&input.name], &[])?;
    x.then("Abs", &[])?
        .with("Mul", "minus_one", -1.0)?
        .then("Exp", &[])?
        .with("Add", "one", 1.0)?
        .then("Log", &[])?
        .then("Add", &[&positive])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flat_has_less_than_6_percent_of_the_largest_slope() {
        let (tanh, sigmoid) = (Tanh.flat().unwrap(), Sigmoid.flat().unwrap());
        assert!(!tanh(0.969) && !tanh(-0.969) && tanh(0.971) && tanh(-0.971));
        assert!(!sigmoid(0.984) && !sigmoid(0.016) && sigmoid(0.986) && sigmoid(0.014));
        assert!(Tanh.slope(FLAT) < 0.06 * Tanh.slope(0.0));
        assert!(Sigmoid.slope((1.0 + FLAT) / 2.0) < 0.06 * Sigmoid.slope(0.5));
    }
}
