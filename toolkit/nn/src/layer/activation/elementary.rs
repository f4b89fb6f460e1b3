//! Elementary functions. dfdx's semantics and its names.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::Activation;
use crate::layer::{Autocast, Fault};
use crate::on_dfdx::{Backend, Real, Taped};
use crate::onnx_form::OnnxPass;

/// `|x|`. At 0 its derivative is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abs;

impl Activation for Abs {
    const KIND: &'static str = "Abs";
    const FLOPS: usize = 1;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        x.abs()
    }

    fn slope(&self, x: f32) -> f32 {
        if x == 0.0 { 0.0 } else { x.signum() }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_abs()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Abs", &[&x.name], &[])
    }
}

/// The cosine of radians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cos;

impl Activation for Cos {
    const KIND: &'static str = "Cos";
    const FLOPS: usize = 8;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        x.cos()
    }

    fn slope(&self, x: f32) -> f32 {
        -x.sin()
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_cos()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Cos", &[&x.name], &[])
    }
}

/// `eˣ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exp;

impl Activation for Exp {
    const KIND: &'static str = "Exp";
    const FLOPS: usize = 6;
    const OF_INPUT: bool = false;

    fn value(&self, x: f32) -> f32 {
        x.exp()
    }

    fn slope(&self, y: f32) -> f32 {
        y
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_exp()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Exp", &[&x.name], &[])
    }

    fn autocast(&self) -> Autocast {
        Autocast::Full
    }
}

/// The natural logarithm; NaN below 0, and −∞ at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ln;

impl Activation for Ln {
    const KIND: &'static str = "Ln";
    const FLOPS: usize = 6;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        x.ln()
    }

    fn slope(&self, x: f32) -> f32 {
        1.0 / x
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_ln()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Log", &[&x.name], &[])
    }

    fn autocast(&self) -> Autocast {
        Autocast::Full
    }
}

/// The sine of radians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sin;

impl Activation for Sin {
    const KIND: &'static str = "Sin";
    const FLOPS: usize = 8;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        x.sin()
    }

    fn slope(&self, x: f32) -> f32 {
        x.cos()
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_sin()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Sin", &[&x.name], &[])
    }
}

/// `√x`; NaN below 0. Its derivative is infinite at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sqrt;

impl Activation for Sqrt {
    const KIND: &'static str = "Sqrt";
    const FLOPS: usize = 1;
    const OF_INPUT: bool = false;

    fn value(&self, x: f32) -> f32 {
        x.sqrt()
    }

    fn slope(&self, y: f32) -> f32 {
        0.5 / y
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_sqrt()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Sqrt", &[&x.name], &[])
    }
}

/// `x²`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Square;

impl Activation for Square {
    const KIND: &'static str = "Square";
    const FLOPS: usize = 1;
    const OF_INPUT: bool = true;

    fn value(&self, x: f32) -> f32 {
        x * x
    }

    fn slope(&self, x: f32) -> f32 {
        2.0 * x
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_square()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Mul", &[&x.name, &x.name], &[])
    }

    fn autocast(&self) -> Autocast {
        Autocast::Full
    }
}
