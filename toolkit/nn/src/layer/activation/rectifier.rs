//! Rectifiers: the identity above 0, and something flatter below.

use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{TryAdd, TryMul, TrySub};
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::sigmoid::below_zero;
use super::{Activation, Chain};
use crate::layer::Fault;
use crate::on_dfdx::{Backend, Real, Taped};
use crate::onnx_form::OnnxPass;

/// `max(x, 0)`. As dfdx's, it makes 0 of NaN, where ONNX keeps NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu;

impl Activation for Relu {
    const KIND: &'static str = "Relu";
    const FLOPS: usize = 1;
    const OF_INPUT: bool = false;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn flat(&self) -> Option<fn(f32) -> bool> {
        Some(|y| y == 0.0)
    }

    fn value(&self, x: f32) -> f32 {
        x.max(0.0)
    }

    fn slope(&self, y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { 0.0 }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_relu()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Relu", &[&x.name], &[])
    }
}

/// `x` above 0, else `negative_slope · x` (Maas et al. 2013). PyTorch's default of 0.01; dfdx's is
/// 0.05.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyRelu {
    /// The slope below 0. Default 0.01.
    pub negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { negative_slope: 0.01 }
    }
}

impl LeakyRelu {
    /// With this slope below 0.
    pub fn new(negative_slope: f64) -> Self {
        Self { negative_slope }
    }
}

impl Activation for LeakyRelu {
    const KIND: &'static str = "LeakyRelu";
    const FLOPS: usize = 2;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        (2.0 / (1.0 + self.negative_slope.powi(2))).sqrt()
    }

    fn value(&self, x: f32) -> f32 {
        if x > 0.0 { x } else { self.negative_slope as f32 * x }
    }

    fn slope(&self, x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { self.negative_slope as f32 }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        let below = below_zero(x.with_empty_tape())?.try_mul(E::of(self.negative_slope))?;
        Ok(x.try_relu()?.try_add(below)?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let alpha = Attribute::Float(self.negative_slope as f32);
        pass.node("LeakyRelu", &[&x.name], &[("alpha", alpha)])
    }

    fn note(&self) -> String {
        format!("{}", self.negative_slope)
    }
}

/// `x` above 0, else `alpha · (eˣ − 1)` (Clevert et al. 2016, arXiv:1511.07289).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elu {
    /// What it tends to for small `x`, negated. Default 1.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Elu {
    /// With this alpha.
    pub fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Activation for Elu {
    const KIND: &'static str = "Elu";
    const FLOPS: usize = 8;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn value(&self, x: f32) -> f32 {
        if x > 0.0 { x } else { self.alpha as f32 * x.exp_m1() }
    }

    fn slope(&self, x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { self.alpha as f32 * x.exp() }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        elu_on_dfdx(x, self.alpha)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(elu_in_onnx(Chain::new(pass, x), self.alpha)?.value)
    }

    fn note(&self) -> String {
        if self.alpha == 1.0 { String::new() } else { format!("alpha {}", self.alpha) }
    }
}

/// `scale · elu(x)` with alpha 1.673… and scale 1.051…, so that activations keep mean 0 and
/// deviation 1 (Klambauer et al. 2017, arXiv:1706.02515). Weights should begin with
/// [`Scheme::LecunNormal`](crate::Scheme::LecunNormal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selu;

impl Activation for Selu {
    const KIND: &'static str = "Selu";
    const FLOPS: usize = 9;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        0.75
    }

    fn value(&self, x: f32) -> f32 {
        (SCALE * f64::from(Elu::new(ALPHA).value(x))) as f32
    }

    fn slope(&self, x: f32) -> f32 {
        (SCALE * f64::from(Elu::new(ALPHA).slope(x))) as f32
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(elu_on_dfdx(x, ALPHA)?.try_mul(E::of(SCALE))?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(elu_in_onnx(Chain::new(pass, x), ALPHA)?.with("Mul", "scale", SCALE)?.value)
    }
}

const ALPHA: f64 = 1.673_263_242_354_377_2;
const SCALE: f64 = 1.050_700_987_355_480_5;

/// `max(x, 0) + alpha · (e^min(x, 0) − 1)`: no power overflows.
fn elu_on_dfdx<E: Real, D: Backend<E>>(
    x: Taped<(usize,), E, D>,
    alpha: f64,
) -> Result<Taped<(usize,), E, D>, Fault> {
    let below = below_zero(x.with_empty_tape())?.try_exp()?;
    let below = below.try_sub(E::of(1.0))?.try_mul(E::of(alpha))?;
    // The derivative at 0 is that of the second summand: dfdx's of max(x, 0) is 0 there, while that
    // of e^min(x, 0) is 1.
    Ok(x.try_relu()?.try_add(below)?)
}

fn elu_in_onnx<'p, 'a>(x: Chain<'p, 'a>, alpha: f64) -> Result<Chain<'p, 'a>, Fault> {
    let input = x.value.clone();
    let above = x.pass.node("Relu", &[&input.name], &[])?;
    x.with("Min", "zero", 0.0)?
        .then("Exp", &[])?
        .with("Sub", "one", 1.0)?
        .with("Mul", "alpha", alpha)?
        .then("Add", &[&above])
}
