//! Networks written as types of dfdx's layers.

use dfdx::nn::builders;
use dfdx::nn::modules;

use crate::layer::{AnyLayer, Linear, Relu, Residual, Sequential, Sigmoid, Tanh};

/// A type of dfdx's layers that describes a network, such as
/// `(Linear<64, 128>, ReLU, Linear<128, 10>)`.
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
    modules::ReLU => Relu,
    modules::Tanh => Tanh,
    modules::Sigmoid => Sigmoid,
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
