//! A block of a transformer's decoder.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::options::{
    activation, changed_shape, default_dropout, default_feedforward, dropout, feedforward, normed,
    note, relu, yes,
};
use super::shortcut::{Shortcut, apart_on_host, joined, joined_on_host, joined_onnx};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::layer::{AnyLayer, Fault, Layer, Misfit, MultiHeadAttention, Sequential};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Self-attention, attention to a memory and a feed-forward part, each with a shortcut, a layer norm
/// and dropout. As PyTorch's `TransformerDecoderLayer(features, num_heads, batch_first=True)`.
///
/// With m the memory and ff as in [`TransformerEncoderLayer`](super::TransformerEncoderLayer)
/// (Vaswani et al. 2017, arXiv:1706.03762):
///
/// `y = norm1(x + dropout1(self_attn(x)))`, `z = norm2(y + dropout2(multihead_attn(y, m)))`,
/// `norm3(z + dropout3(ff(z)))`,
///
/// or with [`norm_first`](Self::norm_first) the norms before attention and feed-forward part.
///
/// A network has one input, so the memory stands in front of the sequence: the block takes
/// `[memory + sequence, features]`, hands the first [`memory`](Self::memory) positions on as they
/// are, and gives the same shape. So a stack of such blocks needs nothing else; a
/// [`Slice`](crate::layer::Slice) behind it leaves the sequence:
///
/// ```
/// use trainbook_nn::layer::{Combine, Parallel, Sequential, Slice};
/// use trainbook_nn::{Network, Sample};
///
/// // 12 tokens to read, behind them 8 that are written.
/// let encoder = Sequential::new().slice(0, 12).transformer_encoder_layer(4, 64);
/// let both = Parallel::new(Combine::Concat).with(encoder).with(Slice::new(12, None));
/// let net = Sequential::new().embedding(30, 32).learned_positions(20).with(both)
///     .transformer_decoder_layer(4, 64, 12).transformer_decoder_layer(4, 64, 12)
///     .slice(12, None).linear(30);
/// assert_eq!(Network::from(net).plan(&Sample::indices([20]))?.root.output, Sample::numbers([8, 30]));
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
///
/// Neither attention gives weight to padding, in the sequence or in the memory; see
/// [`Embedding::padding_index`](crate::layer::Embedding::padding_index).
///
/// Parameters: those of its parts, under PyTorch's names. Unlike PyTorch's it does not drop the
/// attention's weights, and is causal unless it is told not to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerDecoderLayer {
    /// The heads of both attentions.
    pub num_heads: usize,
    /// How many of the first positions are the memory.
    pub memory: usize,
    /// The features between `linear1` and `linear2`. Default 2048.
    #[serde(default = "default_feedforward")]
    pub dim_feedforward: usize,
    /// What is between `linear1` and `linear2`; in JSON "relu", "gelu", or any layer that keeps the
    /// shape. Default [`Relu`](crate::layer::Relu).
    #[serde(default = "relu", deserialize_with = "activation")]
    pub activation: AnyLayer,
    /// Whether the layer norms stand before attention and feed-forward part, not behind the
    /// shortcuts. Default false.
    #[serde(default)]
    pub norm_first: bool,
    /// Whether a position of the sequence sees only itself and those before it. Default true.
    #[serde(default = "yes")]
    pub causal: bool,
    /// The probability p of the dropouts. Default 0.1.
    #[serde(default = "default_dropout")]
    pub dropout: f64,
}

impl TransformerDecoderLayer {
    /// With so many heads, so many features in the feed-forward part, and so many positions of
    /// memory.
    pub fn new(num_heads: usize, dim_feedforward: usize, memory: usize) -> Self {
        Self {
            num_heads,
            memory,
            dim_feedforward,
            activation: relu(),
            norm_first: false,
            causal: true,
            dropout: default_dropout(),
        }
    }

    /// The same with another activation.
    #[must_use]
    pub fn activation(mut self, activation: impl Into<AnyLayer>) -> Self {
        self.activation = activation.into();
        self
    }

    /// The same with the layer norms before attention and feed-forward part.
    #[must_use]
    pub fn norm_first(mut self) -> Self {
        self.norm_first = true;
        self
    }

    /// The same where the positions of the sequence see each other, whatever their order.
    #[must_use]
    pub fn not_causal(mut self) -> Self {
        self.causal = false;
        self
    }

    /// The same with another probability of its dropouts.
    #[must_use]
    pub fn dropout(mut self, p: f64) -> Self {
        self.dropout = p;
        self
    }

    /// The parts of the three shortcuts: in the order in which they compute, which is that in which
    /// they are declared.
    fn thirds(&self) -> [Shortcut; 3] {
        let (numbers, looks) = if self.norm_first {
            ([(0..3, 3..3), (3..6, 6..6), (6..12, 12..12)], 4)
        } else {
            ([(0..2, 2..3), (3..5, 5..6), (6..11, 11..12)], 3)
        };
        numbers.map(|(around, behind)| {
            let looks = Some(looks).filter(|part| around.contains(part));
            Shortcut { around, behind, looks }
        })
    }
}

impl Sequential {
    /// Appends a [`TransformerDecoderLayer`] of so many heads, so many features in the feed-forward
    /// part, and so many positions of memory in front of the sequence.
    #[must_use]
    pub fn transformer_decoder_layer(
        self,
        num_heads: usize,
        dim_feedforward: usize,
        memory: usize,
    ) -> Self {
        self.with(TransformerDecoderLayer::new(num_heads, dim_feedforward, memory))
    }
}

impl Layer for TransformerDecoderLayer {
    const KIND: &'static str = "TransformerDecoderLayer";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [positions, features] = input.dims("[memory + sequence, features]")?;
        let length = positions.checked_sub(self.memory).filter(|length| *length > 0);
        let Some(length) = length.filter(|_| self.memory > 0) else {
            return Err(Misfit::new(format!(
                "its memory must be at least 1 and leave something of the {positions} positions, \
                 and is {}",
                self.memory
            )));
        };
        let mut own = MultiHeadAttention::new(self.num_heads);
        own.causal = self.causal;
        let other = MultiHeadAttention::new(self.num_heads).memory(self.memory);
        let own = [("self_attn", own.into()), ("dropout1", dropout(self.dropout))];
        let other = [("multihead_attn", other.into()), ("dropout2", dropout(self.dropout))];
        let sizes = [features, self.dim_feedforward];
        let feedforward = feedforward(&self.activation, sizes, self.dropout, "dropout3");
        let thirds =
            [("norm1", own.to_vec()), ("norm2", other.to_vec()), ("norm3", feedforward.to_vec())];
        let parts = normed(self.norm_first, thirds);
        let padding = input.padding.map(|padding| padding.behind(self.memory));
        let sequence = Sample::numbers([length, features]).padded(padding);
        let mut sample = sequence.clone();
        for (name, part) in parts {
            if name == "multihead_attn" {
                sample = Sample::numbers([positions, features]).padded(input.padding);
            }
            sample = plan.part(name, &part, &sample)?;
        }
        if !sample.is_like(&sequence) {
            return Err(changed_shape(&self.activation));
        }
        plan.flops(3 * sequence.size());
        Ok(Sample::numbers([positions, features]).padded(input.padding))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let &[batch, positions, features] = x.shape() else {
            return Err(Fault::new("it takes [memory + sequence, features]"));
        };
        let sizes = [batch, positions, features];
        let memory = x.fork().slice(sizes, 0..self.memory)?;
        let mut x = x.slice(sizes, self.memory..positions)?;
        for third in self.thirds() {
            x = third.forward(pass, x, Some(&memory))?;
        }
        joined(memory, x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let positions = pass.layer().input.shape.first().copied().unwrap_or(0);
        let memory = pass.slice("memory", x, 1, 0..self.memory)?;
        let mut x = pass.slice("sequence", x, 1, self.memory..positions)?;
        for third in self.thirds() {
            x = third.onnx(pass, &x, Some(&memory))?;
        }
        joined_onnx(pass, &memory, &x)
    }

    fn note(&self) -> String {
        note(
            [self.num_heads, self.dim_feedforward],
            &self.activation,
            &[
                (true, &format!("memory {}", self.memory)),
                (self.norm_first, "norm first"),
                (!self.causal, "not causal"),
            ],
        )
    }
}

impl HostLayer for TransformerDecoderLayer {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let (memory, mut x) = apart_on_host(pass, x, self.memory);
        for third in self.thirds() {
            x = third.host_forward(pass, x, Some(&memory))?;
        }
        let both = joined_on_host(pass, &memory, x);
        pass.free(memory);
        Ok(both)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let (mut of_memory, mut gradient) = apart_on_host(pass, gradient, self.memory);
        for third in self.thirds().into_iter().rev() {
            gradient = third.host_backward(pass, gradient, Some(&mut of_memory))?;
        }
        if gradient.is_none() {
            return Ok(gradient);
        }
        let both = joined_on_host(pass, &of_memory, gradient);
        pass.free(of_memory);
        Ok(both)
    }
}
