//! Activations: one function, applied to every element.
//!
//! Here is what an activation must say ([`Activation`]) and how it becomes a layer; the functions
//! themselves stand in files by family. At a kink an activation has the same derivative in every
//! form.

mod elementary;
mod gated;
mod rectifier;
mod sigmoid;

use std::fmt::Debug;

pub use elementary::{Abs, Cos, Exp, Ln, Sin, Sqrt, Square};
pub use gated::{Approximation, Gelu, HardSwish, Mish, Silu};
pub use rectifier::{Elu, LeakyRelu, Relu, Selu};
pub use sigmoid::{Sigmoid, Softplus, Tanh};

use serde::Serialize;
use serde::de::DeserializeOwned;
use trainbook_onnx::Value;

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// An activation: a function of one number. What a new one must say; [`Layer`] follows from it.
pub trait Activation: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it is called.
    const KIND: &'static str;

    /// Floating-point operations for one element, roughly.
    const FLOPS: usize;

    /// Whether the derivative is computed from the input; otherwise from the output, and the
    /// input's memory is used for it.
    const OF_INPUT: bool;

    /// The function.
    fn value(&self, x: f32) -> f32;

    /// The derivative, from the input or from the output as [`OF_INPUT`](Self::OF_INPUT) says.
    fn slope(&self, from: f32) -> f32;

    /// The function in dfdx's operations.
    ///
    /// # Errors
    /// The device refuses an operation.
    fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        x: Taped<(usize,), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault>;

    /// The function in ONNX.
    ///
    /// # Errors
    /// It has no exact form.
    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault>;

    /// What it computes in under mixed precision; see [`Layer::autocast`].
    fn autocast(&self) -> Autocast {
        Autocast::Half
    }

    /// Where it is flat, if anywhere; see [`Layer::flat`].
    fn flat(&self) -> Option<fn(f32) -> bool> {
        None
    }

    /// By what the deviation of the weights in front of it is multiplied; see [`Layer::gain`].
    fn gain(&self) -> f64 {
        1.0
    }

    /// What a table shows beside its kind.
    fn note(&self) -> String {
        String::new()
    }
}

/// Makes layers of activations, and a method of [`Sequential`] for each.
macro_rules! activations {
    ($($layer:ty: $method:ident($($argument:ident: $type:ty),*) = $make:expr, $doc:literal;)+) => { $(
        impl Layer for $layer {
            const KIND: &'static str = <Self as Activation>::KIND;

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                input.as_numbers("[features, …]")?;
                plan.flops(input.size() * Self::FLOPS);
                Ok(input.clone())
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                _: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                x.map(|x| self.on_dfdx(x))
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn autocast(&self) -> Autocast {
                Activation::autocast(self)
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                self.in_onnx(pass, x)
            }

            fn gain(&self) -> Option<f64> {
                Some(Activation::gain(self))
            }

            fn flat(&self) -> Option<fn(f32) -> bool> {
                Activation::flat(self)
            }

            fn note(&self) -> String {
                Activation::note(self)
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                forward(self, pass, x)
            }

            fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
                backward(self, pass, gradient)
            }
        }

        impl Sequential {
            #[doc = $doc]
            #[must_use]
            pub fn $method(self $(, $argument: $type)*) -> Self {
                self.with($make)
            }
        }
    )+ };
}

fn forward<A: Activation>(
    activation: &A,
    pass: &mut HostPass<'_>,
    mut x: HostTensor,
) -> Result<HostTensor, Fault> {
    if A::OF_INPUT {
        let mut y = pass.memory(x.numbers().len());
        let from = x.numbers();
        threads::each_share(&mut y, |at, share| {
            share.iter_mut().zip(&from[at..]).for_each(|(y, &x)| *y = activation.value(x));
        });
        let shape = x.shape.clone();
        pass.save(x);
        return Ok(HostTensor::new(shape, y));
    }
    threads::each_share(x.numbers_mut(), |_, share| {
        share.iter_mut().for_each(|x| *x = activation.value(*x))
    });
    let y = pass.rounded(x);
    pass.save(y.clone());
    Ok(y)
}

fn backward<A: Activation>(
    activation: &A,
    pass: &mut HostPass<'_>,
    mut gradient: HostTensor,
) -> Result<HostTensor, Fault> {
    let saved = pass.saved()?;
    let from = saved.numbers();
    threads::each_share(gradient.numbers_mut(), |at, share| {
        share.iter_mut().zip(&from[at..]).for_each(|(g, &x)| *g *= activation.slope(x));
    });
    pass.free(saved);
    Ok(gradient)
}

activations! {
    Abs: abs() = Abs, "Appends an [`Abs`].";
    Cos: cos() = Cos, "Appends a [`Cos`].";
    Elu: elu() = Elu::default(), "Appends an [`Elu`] with alpha 1.";
    Exp: exp() = Exp, "Appends an [`Exp`].";
    Gelu: gelu() = Gelu::default(), "Appends an exact [`Gelu`].";
    HardSwish: hard_swish() = HardSwish, "Appends a [`HardSwish`].";
    LeakyRelu: leaky_relu() = LeakyRelu::default(), "Appends a [`LeakyRelu`] with slope 0.01.";
    Ln: ln() = Ln, "Appends an [`Ln`].";
    Mish: mish() = Mish, "Appends a [`Mish`].";
    Relu: relu() = Relu, "Appends a [`Relu`].";
    Selu: selu() = Selu, "Appends a [`Selu`].";
    Sigmoid: sigmoid() = Sigmoid, "Appends a [`Sigmoid`].";
    Silu: silu() = Silu, "Appends a [`Silu`].";
    Sin: sin() = Sin, "Appends a [`Sin`].";
    Softplus: softplus() = Softplus, "Appends a [`Softplus`].";
    Sqrt: sqrt() = Sqrt, "Appends a [`Sqrt`].";
    Square: square() = Square, "Appends a [`Square`].";
    Tanh: tanh() = Tanh, "Appends a [`Tanh`].";
}

/// A chain of ONNX nodes, each of which takes what the one before it gave.
struct Chain<'p, 'a> {
    pass: &'p mut OnnxPass<'a>,
    value: Value,
}

impl<'p, 'a> Chain<'p, 'a> {
    /// Begins with `x`.
    fn new(pass: &'p mut OnnxPass<'a>, x: &Value) -> Self {
        Self { pass, value: x.clone() }
    }

    /// Goes on with an operator that may have more inputs.
    fn then(mut self, op: &str, others: &[&Value]) -> Result<Self, Fault> {
        let mut inputs = vec![self.value.name.as_str()];
        inputs.extend(others.iter().map(|other| other.name.as_str()));
        self.value = self.pass.node(op, &inputs, &[])?;
        Ok(self)
    }

    /// Goes on with an operator whose other input is a constant, stored under `name`.
    fn with(mut self, op: &str, name: &str, constant: f64) -> Result<Self, Fault> {
        let constant = self.pass.weight(name, &[], vec![constant as f32])?;
        self.value = self.pass.node(op, &[&self.value.name, &constant], &[])?;
        Ok(self)
    }
}
