//! What the blocks have in common: defaults, and how an activation is read.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value as Json, json};

use crate::layer::{AnyLayer, Dropout, Kinds, LayerNorm, Linear, Misfit, Relu};

pub(super) fn yes() -> bool {
    true
}

pub(super) fn default_feedforward() -> usize {
    2048
}

pub(super) fn default_dropout() -> f64 {
    0.1
}

pub(super) fn relu() -> AnyLayer {
    Relu.into()
}

pub(super) fn activation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AnyLayer, D::Error> {
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

/// The parts of all shortcuts in the order in which they compute: each with its norm in front, or
/// behind.
pub(super) fn normed<const N: usize>(
    norm_first: bool,
    shortcuts: [(&'static str, Vec<(&'static str, AnyLayer)>); N],
) -> Vec<(&'static str, AnyLayer)> {
    let mut all = Vec::new();
    for (name, parts) in shortcuts {
        let norm = (name, AnyLayer::new(LayerNorm::new()));
        if norm_first {
            all.push(norm);
            all.extend(parts);
        } else {
            all.extend(parts);
            all.push(norm);
        }
    }
    all
}

pub(super) fn changed_shape(activation: &AnyLayer) -> Misfit {
    Misfit::new(format!("its activation, {activation}, must keep the shape of the samples"))
}

pub(super) fn dropout(p: f64) -> AnyLayer {
    AnyLayer::new(Dropout::new(p))
}

/// The parts of the feed-forward half, under PyTorch's names; `last` is that of the dropout behind.
pub(super) fn feedforward(
    activation: &AnyLayer,
    [features, between]: [usize; 2],
    p: f64,
    last: &'static str,
) -> [(&'static str, AnyLayer); 5] {
    [
        ("linear1", AnyLayer::new(Linear::new(between))),
        ("activation", activation.clone()),
        ("dropout", dropout(p)),
        ("linear2", AnyLayer::new(Linear::new(features))),
        (last, dropout(p)),
    ]
}

/// What a table shows of a block.
pub(super) fn note(
    [num_heads, dim_feedforward]: [usize; 2],
    activation: &AnyLayer,
    more: &[(bool, &str)],
) -> String {
    let heads = if num_heads == 1 { "head" } else { "heads" };
    let mut note = format!("{num_heads} {heads}, {dim_feedforward}");
    if *activation != relu() {
        note += &format!(", {activation}");
    }
    for (_, text) in more.iter().filter(|(shown, _)| *shown) {
        note += &format!(", {text}");
    }
    note
}
