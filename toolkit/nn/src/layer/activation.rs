//! Activations: one function, applied to every element.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Sequential};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
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
    fn on_dfdx<E: Real, D: Backend<E>>(&self, x: Taped<(usize,), E, D>) -> Result<Taped<(usize,), E, D>, Fault>;

    /// The function in ONNX.
    ///
    /// # Errors
    /// It has no exact form.
    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault>;

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

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                self.in_onnx(pass, x)
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

fn forward<A: Activation>(activation: &A, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
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
    threads::each_share(x.numbers_mut(), |_, share| share.iter_mut().for_each(|x| *x = activation.value(*x)));
    pass.save(x.clone());
    Ok(x)
}

fn backward<A: Activation>(activation: &A, pass: &mut HostPass<'_>, mut gradient: HostTensor) -> Result<HostTensor, Fault> {
    let saved = pass.saved()?;
    let from = saved.numbers();
    threads::each_share(gradient.numbers_mut(), |at, share| {
        share.iter_mut().zip(&from[at..]).for_each(|(g, &x)| *g *= activation.slope(x));
    });
    pass.free(saved);
    Ok(gradient)
}

activations! {
    Relu: relu() = Relu, "Appends a [`Relu`].";
    Tanh: tanh() = Tanh, "Appends a [`Tanh`].";
    Sigmoid: sigmoid() = Sigmoid, "Appends a [`Sigmoid`].";
}

/// `max(x, 0)`. As dfdx's, it makes 0 of NaN, where ONNX keeps NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu;

impl Activation for Relu {
    const KIND: &'static str = "Relu";
    const FLOPS: usize = 1;
    const OF_INPUT: bool = false;

    fn value(&self, x: f32) -> f32 {
        x.max(0.0)
    }

    fn slope(&self, y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { 0.0 }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(&self, x: Taped<(usize,), E, D>) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_relu()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Relu", &[&x.name], &[])
    }
}

/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tanh;

impl Activation for Tanh {
    const KIND: &'static str = "Tanh";
    const FLOPS: usize = 8;
    const OF_INPUT: bool = false;

    fn value(&self, x: f32) -> f32 {
        x.tanh()
    }

    fn slope(&self, y: f32) -> f32 {
        1.0 - y * y
    }

    fn on_dfdx<E: Real, D: Backend<E>>(&self, x: Taped<(usize,), E, D>) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_tanh()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Tanh", &[&x.name], &[])
    }
}

/// `1 / (1 + e⁻ˣ)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sigmoid;

impl Activation for Sigmoid {
    const KIND: &'static str = "Sigmoid";
    const FLOPS: usize = 6;
    const OF_INPUT: bool = false;

    fn value(&self, x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    fn slope(&self, y: f32) -> f32 {
        y * (1.0 - y)
    }

    fn on_dfdx<E: Real, D: Backend<E>>(&self, x: Taped<(usize,), E, D>) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_sigmoid()?)
    }

    fn in_onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        pass.node("Sigmoid", &[&x.name], &[])
    }
}

