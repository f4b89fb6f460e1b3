//! What decides a run, as one value that is recorded with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use trainbook_store::{Name, Value};

use super::fit::Length;
use crate::data::DataRecipe;
use crate::nn::{Init, Network, Node, Planned, Sample};
use crate::optim::Optimizer;
use crate::random::Seed;
use crate::task::{Device, Loss, Recipe};

/// Everything that decides a run but its callbacks: from it the network, its data and its trainer
/// can be made again. Recorded as JSON in [`RunStart::recipe`](trainbook_store::RunStart::recipe).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecipe {
    /// What is trained.
    pub network: Network,
    /// What one sample looks like.
    pub input: Sample,
    /// What is minimised.
    pub loss: Loss,
    /// How weights are updated.
    pub optimizer: Optimizer,
    /// How weights begin.
    pub init: Init,
    /// The seed of every random stream.
    pub seed: Seed,
    /// Where it ran.
    pub device: Device,
    /// The learning rate where no callback sets one.
    pub learning_rate: f64,
    /// Rows per batch.
    pub batch_size: usize,
    /// How long it was to train.
    pub length: Length,
    /// How the data were made.
    pub data: DataRecipe,
}

impl RunRecipe {
    /// What the network is trained by.
    pub(super) fn task_recipe(&self) -> Recipe {
        Recipe {
            network: self.network.clone(),
            input: self.input.clone(),
            device: self.device,
            loss: self.loss.clone(),
            optimizer: self.optimizer,
            init: self.init,
            seed: self.seed,
        }
    }
}

/// The settings of a trainer as parameters of its runs, flat, each under a name of its own.
pub(super) fn params(
    recipe: &Recipe,
    learning_rate: f64,
    batch_size: usize,
) -> BTreeMap<Name, Value> {
    let mut params = BTreeMap::new();
    let mut put = |name: &str, value: Value| drop(params.insert(Name::from(name), value));
    put("lr", learning_rate.into());
    put("batch_size", (batch_size as u64).into());
    put("device", recipe.device.to_string().into());
    put("init", recipe.init.to_string().into());
    put("loss", recipe.loss.name().into());
    put("optimizer", recipe.optimizer.name().into());
    put("weight_decay", recipe.optimizer.weight_decay().into());
    let options = [serde_json::to_value(recipe.optimizer), serde_json::to_value(&recipe.loss)];
    for (name, value) in options.into_iter().flatten().flat_map(options_of) {
        if name != "weight_decay" {
            put(&name, value);
        }
    }
    params
}

/// The options of a value that serde writes as `{"optimizer": "adamw", "eps": …}` or
/// `{"adamw": {"eps": …}}`, without those that are not set.
fn options_of(json: Json) -> Vec<(String, Value)> {
    let Json::Object(mut fields) = json else { return Vec::new() };
    if let (1, Some(Json::Object(inner))) = (fields.len(), fields.values().next()) {
        fields = inner.clone();
    }
    fields.retain(|name, value| !value.is_null() && name != "optimizer" && name != "loss");
    let value = |json: &Json| match json {
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => n.as_f64().map_or_else(|| Value::from(n.to_string()), Value::from),
        Json::String(text) => Value::from(text.clone()),
        other => Value::from(other.to_string()),
    };
    fields.iter().map(|(name, json)| (name.clone(), value(json))).collect()
}

/// What a network comes to, as parameters that queries know as `model.parameters` and
/// `model.layers`.
pub(super) fn size(planned: &Planned) -> [(Name, Value); 2] {
    fn layers(node: &Node) -> u64 {
        if node.children.is_empty() { 1 } else { node.children.iter().map(layers).sum() }
    }
    [
        (Name::new_static("model.parameters"), Value::from(planned.layout.trained_len() as u64)),
        (Name::new_static("model.layers"), Value::from(layers(&planned.root))),
    ]
}

/// What one row of these data looks like.
pub(super) fn sample_of(data: &crate::data::Dataset) -> Sample {
    match data.is_of_indices() {
        true => Sample::indices(data.shape()),
        false => Sample::numbers(data.shape()),
    }
}
