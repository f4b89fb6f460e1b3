//! The number times something between 0 and 1 that grows with it.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{TryAdd, TryDiv, TryMul, TrySub};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::sigmoid::{softplus, softplus_in_onnx, softplus_on_dfdx};
use super::{Activation, Chain};
use crate::layer::Fault;
use crate::on_dfdx::{Backend, Real, Taped};
use crate::onnx_form::OnnxPass;

/// How [`Gelu`] is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approximation {
    /// As it is.
    #[default]
    None,
    /// By tanh; differs by 4.7e-4 at most.
    Tanh,
}

/// `x · Φ(x)`, with `Φ` the normal distribution function (Hendrycks and Gimpel 2016,
/// arXiv:1606.08415); with `approximate` "tanh" `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, as
/// GPT-2 has it.
///
/// ONNX has an operator for it from opset 20 on; here it is decomposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gelu {
    /// How it is computed. Default "none": exactly.
    pub approximate: Approximation,
}

impl Gelu {
    /// The approximation by tanh.
    pub fn tanh() -> Self {
        Self { approximate: Approximation::Tanh }
    }
}

/// `√(2/π)`.
const ROOT: f64 = 0.797_884_560_802_865_4;
const CUBIC: f64 = 0.044_715;
/// The normal density at 0, `1/√(2π)`.
const DENSITY: f64 = 0.398_942_280_401_432_7;

fn inner(x: f32) -> f32 {
    ROOT as f32 * (x + CUBIC as f32 * x * x * x)
}

impl Activation for Gelu {
    const KIND: &'static str = "Gelu";
    const FLOPS: usize = 14;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn value(&self, x: f32) -> f32 {
        match self.approximate {
            Approximation::None => 0.5 * x * (1.0 + libm::erff(x * FRAC_1_SQRT_2 as f32)),
            Approximation::Tanh => 0.5 * x * (1.0 + inner(x).tanh()),
        }
    }

    fn slope(&self, x: f32) -> f32 {
        match self.approximate {
            Approximation::None => {
                let density = (-0.5 * x * x).exp() * DENSITY as f32;
                0.5 * (1.0 + libm::erff(x * FRAC_1_SQRT_2 as f32)) + x * density
            }
            Approximation::Tanh => {
                let tanh = inner(x).tanh();
                let inner_slope = ROOT as f32 * (1.0 + 3.0 * CUBIC as f32 * x * x);
                0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner_slope
            }
        }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        if self.approximate == Approximation::Tanh {
            return Ok(x.try_fast_gelu()?);
        }
        // dfdx takes e^(−x²/2)/√π for the density, where it is e^(−x²/2)/√(2π). What is added here
        // is 0, and has the derivative that is missing: that of −e^(−x²/2) is x·e^(−x²/2).
        let bell = x.with_empty_tape().try_square()?.try_mul(E::of(-0.5))?.try_exp()?;
        // Another tensor: dfdx panics on the way back from an operation on a tensor and itself.
        let still = bell.retaped::<dfdx::tensor::NoneTape>().try_mul(E::of(1.0))?;
        let nothing = bell.try_sub(still)?.try_mul(E::of(FRAC_2_SQRT_PI / 2.0 - DENSITY))?;
        Ok(x.try_accurate_gelu()?.try_add(nothing)?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let gate = match self.approximate {
            Approximation::None => {
                Chain::new(pass, x).with("Mul", "sqrt_half", FRAC_1_SQRT_2)?.then("Erf", &[])?
            }
            Approximation::Tanh => Chain::new(pass, x)
                .then("Mul", &[x])?
                .then("Mul", &[x])?
                .with("Mul", "cubic", CUBIC)?
                .then("Add", &[x])?
                .with("Mul", "sqrt_2_over_pi", ROOT)?
                .then("Tanh", &[])?,
        };
        Ok(gate.with("Add", "one", 1.0)?.then("Mul", &[x])?.with("Mul", "half", 0.5)?.value)
    }

    fn note(&self) -> String {
        if self.approximate == Approximation::Tanh { "tanh".to_owned() } else { String::new() }
    }
}

/// `x · sigmoid(x)`, also called swish (Ramachandran et al. 2017, arXiv:1710.05941).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silu;

impl Activation for Silu {
    const KIND: &'static str = "Silu";
    const FLOPS: usize = 7;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn value(&self, x: f32) -> f32 {
        x / (1.0 + (-x).exp())
    }

    fn slope(&self, x: f32) -> f32 {
        let gate = 1.0 / (1.0 + (-x).exp());
        gate * (1.0 + x * (1.0 - gate))
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.with_empty_tape().try_sigmoid()?.try_mul(x)?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(Chain::new(pass, x).then("Sigmoid", &[])?.then("Mul", &[x])?.value)
    }
}

/// `x · tanh(softplus(x))` (Misra 2019, arXiv:1908.08681). ONNX has an operator for it from opset
/// 18 on; here it is decomposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mish;

impl Activation for Mish {
    const KIND: &'static str = "Mish";
    const FLOPS: usize = 24;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn value(&self, x: f32) -> f32 {
        x * softplus(x).tanh()
    }

    fn slope(&self, x: f32) -> f32 {
        let gate = softplus(x).tanh();
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        gate + x * (1.0 - gate * gate) * sigmoid
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(softplus_on_dfdx(x.with_empty_tape())?.try_tanh()?.try_mul(x)?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(softplus_in_onnx(Chain::new(pass, x))?.then("Tanh", &[])?.then("Mul", &[x])?.value)
    }
}

/// `x · min(max(x + 3, 0), 6) / 6` (Howard et al. 2019, arXiv:1905.02244).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardSwish;

impl Activation for HardSwish {
    const KIND: &'static str = "HardSwish";
    const FLOPS: usize = 5;
    const OF_INPUT: bool = true;

    fn gain(&self) -> f64 {
        std::f64::consts::SQRT_2
    }

    fn value(&self, x: f32) -> f32 {
        x * (x + 3.0).clamp(0.0, 6.0) / 6.0
    }

    fn slope(&self, x: f32) -> f32 {
        if x < -3.0 {
            0.0
        } else if x <= 3.0 {
            x / 3.0 + 0.5
        } else {
            1.0
        }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        let gate = x.with_empty_tape().try_add(E::of(3.0))?.try_clamp(0.0, 6.0)?;
        Ok(gate.try_mul(x)?.try_div(E::of(6.0))?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Ok(Chain::new(pass, x)
            .with("Add", "three", 3.0)?
            .with("Max", "zero", 0.0)?
            .with("Min", "six", 6.0)?
            .then("Mul", &[x])?
            .with("Div", "another_six", 6.0)?
            .value)
    }
}
