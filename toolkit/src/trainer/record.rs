//! What decides a run, as one value that is recorded with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use trainbook_callbacks::RecordedCallback;
use trainbook_store::{Name, Value};

use super::feed::Feed;
use super::length::Length;
use crate::data::{Augment, DataRecipe, LastBatch, Mix, Sampling};
use crate::metric::{Accuracy, Metric};
use crate::nn::loss::TargetKind;
use crate::nn::{Init, Network, Node, Planned, Sample};
use crate::optim::{Optimizer, ParameterGroup};
use crate::random::Seed;
use crate::task::{Device, Loss, LossScale, Precision, Recipe};

/// Everything that decides a run: from it the network, its data and its trainer can be made again. Recorded as JSON in [`RunStart::recipe`](trainbook_store::RunStart::recipe).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecipe {
    /// What is trained.
    pub network: Network,
    /// What one sample looks like.
    pub input: Sample,
    /// What is minimised.
    pub loss: Loss,
    /// What is measured beside it. `None` in older runs: what is usual for the loss.
    #[serde(default)]
    pub metrics: Option<Vec<Metric>>,
    /// How weights are updated.
    pub optimizer: Optimizer,
    /// Which tensors are trained differently.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ParameterGroup>,
    /// How weights begin.
    pub init: Init,
    /// The seed of every random stream.
    pub seed: Seed,
    /// Where it ran.
    pub device: Device,
    /// In what precision.
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: Precision,
    /// By what the loss is multiplied under mixed precision.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss_scale: LossScale,
    /// Whether most activations are computed again on the way back; no number depends on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checkpoint_activations: bool,
    /// The learning rate where no callback sets one.
    pub learning_rate: f64,
    /// How batches are made of rows.
    #[serde(flatten)]
    pub feed: Feed,
    /// Batches whose gradients are gathered for one update.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Behind how many steps it validates in the middle of an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_every: Option<u64>,
    /// Whether the metrics are measured on the training part too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub train_metrics: bool,
    /// How long it was to train.
    pub length: Length,
    /// How the data were made.
    pub data: DataRecipe,
    /// The callbacks that can be made again, and those that cannot and have a say in how training
    /// goes, in the order in which they are called. `None` in older runs.
    #[serde(default)]
    pub callbacks: Option<Vec<RecordedCallback>>,
    /// Where it began. `None` in older runs.
    #[serde(default)]
    pub begins: Option<Begins>,
}

/// Where a fit began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begins {
    /// The updates that its trainer had applied before; 0 in a trainer's first fit.
    pub updates: u64,
    /// The batches that it had seen before, by which rows are mixed.
    #[serde(default)]
    pub batches: u64,
    /// The epochs that it had gone through before, by which rows are shuffled.
    #[serde(default)]
    pub epochs: u64,
    /// The BLAKE3 hash of all weights and moments.
    pub state: String,
    /// The object in the store that holds everything of the trainer as it was, if the fit went on
    /// where another had ended or was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(number: &usize) -> bool {
    *number == 1
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
            groups: self.groups.clone(),
            init: self.init,
            seed: self.seed,
            precision: self.precision,
            loss_scale: self.loss_scale,
            checkpoint_activations: self.checkpoint_activations,
            shortest: None, // the trainer that is built finds it in the data again
        }
    }
}

/// What is measured where nobody says anything.
pub(super) fn usual_metrics(takes: TargetKind) -> Vec<Metric> {
    match takes {
        TargetKind::Classes => vec![Accuracy.into()],
        TargetKind::Values => Vec::new(),
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
    if recipe.precision != Precision::default() {
        put("precision", recipe.precision.to_string().into());
    }
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

/// How a step is made of batches and these of rows, as parameters: only what is not as always.
pub(super) fn steps(
    accumulate: usize,
    validate_every: Option<u64>,
    feed: &Feed,
) -> Vec<(Name, Value)> {
    let mut params = Vec::new();
    let mut put = |name: &'static str, value: Value| params.push((Name::new_static(name), value));
    if accumulate > 1 {
        put("accumulate", Value::from(accumulate as u64));
    }
    if let Some(steps) = validate_every {
        put("validate_every", steps.into());
    }
    match feed.mix {
        Some(Mix::Mixup { alpha }) => put("mixup", alpha.into()),
        Some(Mix::CutMix { alpha }) => put("cutmix", alpha.into()),
        None => {}
    }
    match feed.sampling {
        Sampling::Shuffled => {}
        Sampling::Balanced => put("sampling", "balanced".into()),
        Sampling::Weighted => put("sampling", "weighted".into()),
    }
    match feed.last_batch {
        LastBatch::Keep => {}
        LastBatch::Drop => put("last_batch", "drop".into()),
        LastBatch::Fill => put("last_batch", "fill".into()),
    }
    if let Some(buckets) = feed.buckets {
        put("bucket_by_length", Value::from(buckets.batches as u64));
    }
    if let Some(augment) = &feed.augment {
        put("augment", steps_of(augment).into());
    }
    params
}

/// The names of the steps, in order.
fn steps_of(augment: &Augment) -> String {
    let json = serde_json::to_value(augment.steps()).unwrap_or_default();
    let steps = json.as_array().into_iter().flatten();
    steps.filter_map(|step| step["step"].as_str()).collect::<Vec<_>>().join(", ")
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
