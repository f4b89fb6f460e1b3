//! Networks written as types of dfdx's layers.

use dfdx::nn::builders;
use dfdx::nn::modules;
use dfdx::shapes::ConstDim;

use crate::layer::{
    Abs, AnyLayer, Cos, Exp, Gelu, Linear, Ln, LogSoftmax, PRelu, Relu, Repeat, Residual,
    Sequential, Sigmoid, Sin, Softmax, Sqrt, Square, Tanh,
};

/// A type of dfdx's layers that describes a network, such as
/// `(Linear<64, 128>, ReLU, Linear<128, 10>)`.
///
/// A type tells shapes and options only, not values: `LeakyReLU` has its slope in a value and is
/// not described, and weights begin as this library's layers say (a `PReLU` at 0.25, where dfdx's
/// begins at 0). Nor are layers with several inputs or outputs (`SplitInto`, `AddInto`) or whose
/// type holds the batch or the whole image (`Reshape`, `Upscale2D`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not describe a network",
    note = "dfdx's layers do, and tuples of them; a network can also be written as a value: `Sequential::new().linear(64).relu().linear(10)`"
)]
pub trait Describe {
    /// The network as a value.
    fn describe() -> AnyLayer;
}

impl<const I: usize, const O: usize> Describe for builders::Linear<I, O> {
    fn describe() -> AnyLayer {
        Linear::new(O).in_features(I).into()
    }
}

impl<const I: usize, const O: usize> Describe for builders::UnbiasedLinear<I, O> {
    fn describe() -> AnyLayer {
        Linear::new(O).in_features(I).no_bias().into()
    }
}

macro_rules! describe {
    ($($type:ty => $layer:expr),+ $(,)?) => { $(
        impl Describe for $type {
            fn describe() -> AnyLayer {
                $layer.into()
            }
        }
    )+ };
}

describe! {
    modules::Abs => Abs,
    modules::AccurateGeLU => Gelu::default(),
    modules::Cos => Cos,
    modules::Exp => Exp,
    modules::FastGeLU => Gelu::tanh(),
    modules::Ln => Ln,
    modules::LogSoftmax => LogSoftmax,
    modules::ReLU => Relu,
    modules::Sigmoid => Sigmoid,
    modules::Sin => Sin,
    modules::Softmax => Softmax,
    modules::Sqrt => Sqrt,
    modules::Square => Square,
    modules::Tanh => Tanh,
    builders::PReLU => PRelu::default(),
}

#[allow(deprecated, reason = "dfdx keeps GeLU as the old name of FastGeLU")]
impl Describe for modules::GeLU {
    fn describe() -> AnyLayer {
        Gelu::tanh().into()
    }
}

impl<C: ConstDim> Describe for builders::PReLU1D<C> {
    fn describe() -> AnyLayer {
        PRelu::new(C::SIZE).into()
    }
}

/// `f(x) + r(x)`.
impl<F: Describe, R: Describe> Describe for modules::GeneralizedResidual<F, R> {
    fn describe() -> AnyLayer {
        Residual::new(F::describe()).shortcut(R::describe()).into()
    }
}

impl<T: Describe, const N: usize> Describe for modules::Repeated<T, N> {
    fn describe() -> AnyLayer {
        Repeat::new(N, T::describe()).into()
    }
}

impl<F: Describe> Describe for modules::Residual<F> {
    fn describe() -> AnyLayer {
        Residual::new(F::describe()).into()
    }
}

macro_rules! tuples {
    ($first:ident $(, $rest:ident)*) => {
        impl<$first: Describe $(, $rest: Describe)*> Describe for ($first, $($rest,)*) {
            fn describe() -> AnyLayer {
                Sequential::new().with($first::describe())$(.with($rest::describe()))*.into()
            }
        }
        tuples!(@shorter $first $(, $rest)*);
    };
    (@shorter $first:ident) => {};
    (@shorter $first:ident, $second:ident $(, $rest:ident)*) => { tuples!($second $(, $rest)*); };
}
tuples!(A, B, C, D, E, F);
