//! A block of a transformer.

use std::ops::Range;

use dfdx::tensor_ops::TryAdd;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};
use trainbook_onnx::Value;

use super::residual::add;
use super::{
    AnyLayer, Dropout, Fault, Kinds, Layer, LayerNorm, Linear, Misfit, MultiHeadAttention, Relu,
    Sequential,
};
use crate::host::{HostLayer, HostPass, HostTensor};
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
/// padding; see [`Embedding::padding_index`](super::Embedding::padding_index).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerEncoderLayer {
    /// The attention's heads.
    pub num_heads: usize,
    /// The features between `linear1` and `linear2`. Default 2048.
    #[serde(default = "default_feedforward")]
    pub dim_feedforward: usize,
    /// What is between `linear1` and `linear2`; in JSON "relu", "gelu", or any layer that keeps the
    /// shape. Default [`Relu`].
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

fn default_feedforward() -> usize {
    2048
}

fn default_dropout() -> f64 {
    0.1
}

fn relu() -> AnyLayer {
    Relu.into()
}

fn activation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AnyLayer, D::Error> {
    let json = match Json::deserialize(deserializer)? {
        Json::String(name) => match name.as_str() {
            "relu" => json!({"layer": "Relu"}),
            "gelu" => json!({"layer": "Gelu"}),
            _ => {
                return Err(D::Error::custom(format!(
                    "an activation is \"relu\", \"gelu\" or a layer, not {name:?}"
                )));
            }
        },
        json => json,
    };
    Kinds::current(|kinds| AnyLayer::from_json(json, kinds)).map_err(D::Error::custom)
}

/// One of the two halves, as numbers of parts.
struct Half {
    /// What the shortcut leads around.
    around: Range<usize>,
    /// What comes behind the shortcut.
    behind: Range<usize>,
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
    fn halves(&self) -> [Half; 2] {
        if self.norm_first {
            [Half { around: 0..3, behind: 3..3 }, Half { around: 3..9, behind: 9..9 }]
        } else {
            [Half { around: 0..2, behind: 2..3 }, Half { around: 3..8, behind: 8..9 }]
        }
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
        let norm = || AnyLayer::new(LayerNorm::new());
        let dropout = || AnyLayer::new(Dropout::new(self.dropout));
        let attention = [("self_attn", attention.into()), ("dropout1", dropout())];
        let feedforward = [
            ("linear1", AnyLayer::new(Linear::new(self.dim_feedforward))),
            ("activation", self.activation.clone()),
            ("dropout", dropout()),
            ("linear2", AnyLayer::new(Linear::new(features))),
            ("dropout2", dropout()),
        ];
        let mut parts: Vec<(&str, AnyLayer)> = Vec::new();
        if self.norm_first {
            parts.push(("norm1", norm()));
            parts.extend(attention);
            parts.push(("norm2", norm()));
            parts.extend(feedforward);
        } else {
            parts.extend(attention);
            parts.push(("norm1", norm()));
            parts.extend(feedforward);
            parts.push(("norm2", norm()));
        }
        let mut sample = input.clone();
        for (name, part) in parts {
            sample = plan.part(name, &part, &sample)?;
        }
        if !sample.is_like(input) {
            return Err(Misfit::new(format!(
                "its activation, {}, must keep the shape of the samples",
                self.activation
            )));
        }
        plan.flops(2 * input.size());
        Ok(sample)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        mut x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        for Half { around, behind } in self.halves() {
            let beside = x.fork();
            for part in around {
                x = pass.part(part, x)?;
            }
            x = x.map(|x| Ok(x.try_add(beside.flat())?))?;
            for part in behind {
                x = pass.part(part, x)?;
            }
        }
        Ok(x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let mut x = x.clone();
        for Half { around, behind } in self.halves() {
            let beside = x.name.clone();
            for part in around {
                x = pass.part(part, &x)?;
            }
            x = pass.node("Add", &[&x.name, &beside], &[])?;
            for part in behind {
                x = pass.part(part, &x)?;
            }
        }
        Ok(x)
    }

    fn note(&self) -> String {
        let heads = if self.num_heads == 1 { "head" } else { "heads" };
        let mut note = format!("{} {heads}, {}", self.num_heads, self.dim_feedforward);
        if self.activation != relu() {
            note += &format!(", {}", self.activation);
        }
        if self.norm_first {
            note += ", norm first";
        }
        if self.causal {
            note += ", causal";
        }
        note
    }
}

impl HostLayer for TransformerEncoderLayer {
    fn forward(&self, pass: &mut HostPass<'_>, mut x: HostTensor) -> Result<HostTensor, Fault> {
        for Half { around, behind } in self.halves() {
            let beside = x.clone();
            for part in around {
                x = pass.part_forward(part, x)?;
            }
            add(&mut x, &beside);
            pass.free(beside);
            for part in behind {
                x = pass.part_forward(part, x)?;
            }
        }
        Ok(x)
    }

    fn backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        for Half { around, behind } in self.halves().into_iter().rev() {
            for part in behind.rev() {
                gradient = pass.part_backward(part, gradient)?;
            }
            let beside = gradient.clone();
            for part in around.rev() {
                gradient = pass.part_backward(part, gradient)?;
                if gradient.is_none() {
                    // Only the first part of all can have nothing trained in front of it.
                    return Ok(gradient);
                }
            }
            add(&mut gradient, &beside);
            pass.free(beside);
        }
        Ok(gradient)
    }
}
