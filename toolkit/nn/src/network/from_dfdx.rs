//! Networks written as types of dfdx's layers.

use dfdx::nn::builders;
use dfdx::nn::modules;
use dfdx::shapes::ConstDim;

use crate::layer::{
    Abs, AnyLayer, BatchNorm, Cos, Dropout, Embedding, Exp, Gelu, GlobalAvgPool, GlobalMaxPool,
    GlobalMinPool, LayerNorm, Linear, Ln, LogSoftmax, MultiHeadAttention, PRelu, Relu, Repeat,
    Residual, Sequential, Sigmoid, Sin, Softmax, Sqrt, Square, Tanh, TransformerEncoderLayer,
};

/// A type of dfdx's layers that describes a network, such as
/// `(Linear<64, 128>, ReLU, Linear<128, 10>)`.
///
/// A type tells shapes and options only, not values: `LeakyReLU` has its slope in a value and is
/// not described, and weights begin as this library's layers say (a `PReLU` at 0.25, where dfdx's
/// begins at 0). A `Dropout` has the probability with which dfdx builds it, 0.5; `BatchNorm1D`,
/// `BatchNorm2D` and `LayerNorm1D` take as many features as there are. Not described are layers
/// with several inputs or outputs (`SplitInto`, `AddInto`, decoders), those whose type holds the
/// batch or the whole image (`Reshape`, `Upscale2D`), `Bias2D`, and a `MultiHeadAttention` whose
/// keys or values have other sizes than what it takes: no layer here computes these.
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
    modules::AvgPoolGlobal => GlobalAvgPool,
    modules::Dropout => Dropout::new(modules::Dropout::default().p.into()),
    modules::MaxPoolGlobal => GlobalMaxPool,
    modules::MinPoolGlobal => GlobalMinPool,
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

/// dfdx's defaults are this layer's: eps 1e-5, momentum 0.1, the running variance unbiased.
impl<const C: usize> Describe for builders::BatchNorm1D<C> {
    fn describe() -> AnyLayer {
        BatchNorm::new().into()
    }
}

/// The same for images.
impl<const C: usize> Describe for builders::BatchNorm2D<C> {
    fn describe() -> AnyLayer {
        BatchNorm::new().into()
    }
}

impl<const M: usize> Describe for builders::LayerNorm1D<M> {
    fn describe() -> AnyLayer {
        LayerNorm::new().into()
    }
}

impl<const N: usize> Describe for modules::DropoutOneIn<N> {
    fn describe() -> AnyLayer {
        Dropout::new(1.0 / N as f64).into()
    }
}

impl<const V: usize, const M: usize> Describe for builders::Embedding<V, M> {
    fn describe() -> AnyLayer {
        Embedding::new(V, M).into()
    }
}

/// dfdx's `w_q`, `w_k` and `w_v` stand in `in_proj`, one below the other; `w_o` is `out_proj`.
impl<const M: usize, const H: usize> Describe for builders::MultiHeadAttention<M, H, M, M> {
    fn describe() -> AnyLayer {
        MultiHeadAttention::new(H).into()
    }
}

/// With ReLU, the layer norms behind, and no dropout.
impl<const M: usize, const H: usize, const F: usize> Describe
    for builders::TransformerEncoderBlock<M, H, F>
{
    fn describe() -> AnyLayer {
        TransformerEncoderLayer::new(H, F).dropout(0.0).into()
    }
}

impl<const M: usize, const H: usize, const F: usize, const L: usize> Describe
    for builders::TransformerEncoder<M, H, F, L>
{
    fn describe() -> AnyLayer {
        Repeat::new(L, builders::TransformerEncoderBlock::<M, H, F>::describe()).into()
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
