//! A block of a transformer's encoder.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::options::{
    activation, changed_shape, default_dropout, default_feedforward, dropout, feedforward, normed,
    note, relu,
};
use super::shortcut::Shortcut;
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::layer::{AnyLayer, Fault, Layer, Misfit, MultiHeadAttention, Sequential};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Self-attention and a feed-forward part, each with a shortcut, a layer norm and dropout. As
/// PyTorch's `TransformerEncoderLayer(features, num_heads, batch_first=True)`.
///
/// With `ff(x) = linear2(dropout(activation(linear1(x))))` (Vaswani et al. 2017, arXiv:1706.03762):
///
/// `y = norm1(x + dropout1(self_attn(x)))`, `norm2(y + dropout2(ff(y)))`,
///
/// or with [`norm_first`](Self::norm_first) (Xiong et al. 2020, arXiv:2002.04745):
///
/// `y = x + dropout1(self_attn(norm1(x)))`, `y + dropout2(ff(norm2(y)))`.
///
/// Takes `[sequence, features]` and keeps the shape. Parameters: those of its parts, which are
/// layers of this library: `self_attn.in_proj_weight`, …, `linear1.weight`, `norm1.weight`, ….
/// Unlike PyTorch's it does not drop the attention's weights. Its attention gives no weight to
/// padding; see [`Embedding::padding_index`](crate::layer::Embedding::padding_index).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerEncoderLayer {
    /// The attention's heads.
    pub num_heads: usize,
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
    /// Whether a position sees only itself and those before it. Default false.
    #[serde(default)]
    pub causal: bool,
    /// The probability p of the dropouts. Default 0.1.
    #[serde(default = "default_dropout")]
    pub dropout: f64,
}

impl TransformerEncoderLayer {
    /// With so many heads and so many features in the feed-forward part.
    pub fn new(num_heads: usize, dim_feedforward: usize) -> Self {
        Self {
            num_heads,
            dim_feedforward,
            activation: relu(),
            norm_first: false,
            causal: false,
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

    /// The same where a position sees only itself and those before it.
    #[must_use]
    pub fn causal(mut self) -> Self {
        self.causal = true;
        self
    }

    /// The same with another probability of its dropouts.
    #[must_use]
    pub fn dropout(mut self, p: f64) -> Self {
        self.dropout = p;
        self
    }

    /// The parts of the two halves: in the order in which they compute, which is that in which they
    /// are declared.
    fn halves(&self) -> [Shortcut; 2] {
        let numbers = if self.norm_first {
            [(0..3, 3..3), (3..9, 9..9)]
        } else {
            [(0..2, 2..3), (3..8, 8..9)]
        };
        numbers.map(|(around, behind)| Shortcut { around, behind, looks: None })
    }
}

impl Sequential {
    /// Appends a [`TransformerEncoderLayer`] of so many heads and so many features in the
    /// feed-forward part.
    #[must_use]
    pub fn transformer_encoder_layer(self, num_heads: usize, dim_feedforward: usize) -> Self {
        self.with(TransformerEncoderLayer::new(num_heads, dim_feedforward))
    }
}

impl Layer for TransformerEncoderLayer {
    const KIND: &'static str = "TransformerEncoderLayer";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [_, features] = input.dims("[sequence, features]")?;
        let mut attention = MultiHeadAttention::new(self.num_heads);
        attention.causal = self.causal;
        let attention = [("self_attn", attention.into()), ("dropout1", dropout(self.dropout))];
        let sizes = [features, self.dim_feedforward];
        let feedforward = feedforward(&self.activation, sizes, self.dropout, "dropout2");
        let halves = [("norm1", attention.to_vec()), ("norm2", feedforward.to_vec())];
        let parts = normed(self.norm_first, halves);
        let mut sample = input.clone();
        for (name, part) in parts {
            sample = plan.part(name, &part, &sample)?;
        }
        if !sample.is_like(input) {
            return Err(changed_shape(&self.activation));
        }
        plan.flops(2 * input.size());
        Ok(sample)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        mut x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        for half in self.halves() {
            x = half.forward(pass, x, None)?;
        }
        Ok(x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let mut x = x.clone();
        for half in self.halves() {
            x = half.onnx(pass, &x, None)?;
        }
        Ok(x)
    }

    fn note(&self) -> String {
        note(
            [self.num_heads, self.dim_feedforward],
            &self.activation,
            &[(self.norm_first, "norm first"), (self.causal, "causal")],
        )
    }
}

impl HostLayer for TransformerEncoderLayer {
    fn forward(&self, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
        for half in self.halves() {
            x = half.host_forward(pass, x, None)?;
        }
        Ok(x)
    }

    fn backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        for half in self.halves().into_iter().rev() {
            gradient = half.host_backward(pass, gradient, None)?;
        }
        Ok(gradient)
    }
}
