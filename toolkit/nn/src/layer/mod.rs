//! Layers: one file each. **Open this file first to write a layer of your own.**
//!
//! A layer is a value: a struct with options that serde reads and writes, and an implementation of
//! [`Layer`]. Everything about it stands in its file: options and defaults, the shape of its
//! output, its parameters and how they begin, what it computes (in dfdx's operations, and where
//! that is too slow also on contiguous memory), its ONNX form, its cost, its formula and source. To
//! add a layer is to add a file, its `mod` and one line in the list at the end.

mod activation;
mod any;
mod autocast;
mod avg_pool;
mod batch_norm;
mod categorical_embedding;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod convolution;
mod dropout;
mod embedding;
mod flatten;
mod global_pool;
mod group_norm;
mod identity;
mod kinds;
mod lengthwise;
mod linear;
mod max_pool;
mod means;
mod multi_head_attention;
mod normalization;
mod padding;
mod pair;
mod parallel;
mod position_pool;
mod positions;
mod prelu;
mod recurrent;
mod repeat;
mod reshape;
mod residual;
mod sequential;
mod slice;
mod softmax;
mod transformer;
mod upsample;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::misfit::{Fault, Misfit};
pub use activation::{Activation, Approximation};
pub use any::AnyLayer;
pub(crate) use any::DynLayer;
pub use autocast::Autocast;
pub use categorical_embedding::CategoryTable;
pub use kinds::Kinds;
pub use padding::Padding;
pub use pair::Pair;
pub use parallel::Combine;
pub use upsample::UpsampleMode;

use crate::host::HostLayer;
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;
use trainbook_onnx::Value;

/// A layer: what a network is made of.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use trainbook_nn::on_dfdx::{Backend, Flow, Pass, Real};
/// use trainbook_nn::layer::{Fault, Layer, Misfit};
/// use dfdx::prelude::{TryMul, WithEmptyTape};
/// use trainbook_nn::{Plan, Sample};
///
/// /// x · sin(x)
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Wave;
///
/// impl Layer for Wave {
///     const KIND: &'static str = "Wave";
///
///     fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
///         Ok(input.clone())
///     }
///
///     fn forward<E: Real, D: Backend<E>>(&self, _: &mut Pass<'_, E, D>, x: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
///         x.map(|x| Ok(x.with_empty_tape().try_sin()?.try_mul(x)?))
///     }
/// }
/// ```
pub trait Layer: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it is called in JSON, tables and errors.
    const KIND: &'static str;

    /// Given what one sample looks like, declares the layer's parameters, parts and cost, and
    /// returns what one sample of its output looks like. Called when a network meets its data.
    ///
    /// # Errors
    /// The layer does not take such samples, or its options contradict each other.
    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit>;

    /// What it computes, in dfdx's operations: right on every device and in every precision.
    ///
    /// # Errors
    /// The device refuses an operation.
    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault>;

    /// The same on the processor's contiguous memory, forward and backward, where that is worth it.
    /// Without it the processor, too, computes [`forward`](Self::forward).
    fn host(&self) -> Option<&dyn HostLayer> {
        None
    }

    /// What it computes in under mixed precision. Default: f16.
    fn autocast(&self) -> Autocast {
        Autocast::Half
    }

    /// Its ONNX form: adds nodes that compute what [`forward`](Self::forward) does in evaluation.
    ///
    /// # Errors
    /// It has none, which is the default: the network then trains, but does not export.
    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let _ = (pass, x);
        Err(Fault::new("it does not say what its ONNX form is (`Layer::onnx`)"))
    }

    /// For an activation, by what the deviation of the weights in front of it should be multiplied
    /// so that signals keep their size ([`Gain::Following`](crate::Gain::Following)). `None` says
    /// that it is none.
    ///
    /// PyTorch's `calculate_gain`: tanh 5/3, ReLU √2, leaky ReLU √(2 / (1 + slope²)), SELU 3/4, and
    /// 1 for a sigmoid. It has none for ELU, GELU, SiLU, Mish and hard-swish, which have that of
    /// ReLU here, as Clevert et al. 2016 (arXiv:1511.07289) begin networks of ELUs. All others 1.
    fn gain(&self) -> Option<f64> {
        None
    }

    /// For an activation that is flat somewhere: whether it is where it gives this output, so that less
    /// than 6 % of its largest slope is left. `None` for all others.
    fn flat(&self) -> Option<fn(f32) -> bool> {
        None
    }

    /// What the summary's table shows beside its kind, for example "16, 3×3, stride 2".
    fn note(&self) -> String {
        String::new()
    }

    /// How it is shown in one line: kind and note, unless it says otherwise.
    fn text(&self) -> String {
        match self.note() {
            note if note.is_empty() => Self::KIND.to_owned(),
            note => format!("{} {note}", Self::KIND),
        }
    }
}

/// Names the layers: `file: Layer, …;` is all that the list needs to know of one.
macro_rules! layers {
    ($($file:ident: $($layer:ident),+;)+) => {
        $(pub use $file::{$($layer),+};)+

        impl Kinds {
            /// All layers of this library.
            pub fn standard() -> Self {
                Self::none()$($(.with::<$layer>())+)+
            }
        }
    };
}

layers! {
    activation: Abs, Cos, Elu, Exp, Gelu, HardSwish, LeakyRelu, Ln, Mish, Relu, Selu, Sigmoid, Silu, Sin, Softplus, Sqrt, Square, Tanh;
    avg_pool: AvgPool1d, AvgPool2d, AdaptiveAvgPool1d, AdaptiveAvgPool2d;
    batch_norm: BatchNorm;
    categorical_embedding: CategoricalEmbedding;
    conv1d: Conv1d;
    conv2d: Conv2d;
    conv_transpose2d: ConvTranspose2d;
    dropout: Dropout, ChannelDropout;
    embedding: Embedding;
    flatten: Flatten;
    global_pool: GlobalAvgPool, GlobalMaxPool, GlobalMinPool;
    group_norm: GroupNorm;
    identity: Identity;
    linear: Linear;
    max_pool: MaxPool1d, MaxPool2d;
    multi_head_attention: MultiHeadAttention;
    normalization: LayerNorm, RmsNorm;
    parallel: Parallel;
    position_pool: PositionAvgPool, PositionMaxPool;
    positions: LearnedPositions, SinusoidalPositions;
    prelu: PRelu;
    recurrent: Gru, Lstm;
    repeat: Repeat;
    reshape: Reshape;
    residual: Residual;
    sequential: Sequential;
    slice: Slice;
    softmax: LogSoftmax, Softmax;
    transformer: TransformerDecoderLayer, TransformerEncoderLayer;
    upsample: Upsample;
}
