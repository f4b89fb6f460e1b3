//! How a checkpoint is written down.
//!
//! It is a [safetensors](https://huggingface.co/docs/safetensors) file. Weights stand under their
//! layers' names, the optimiser's moments under `trainbook/moment/NUMBER/NAME`, and everything else
//! in MessagePack with named fields, which keeps every bit of a number, under `trainbook/state`. A
//! BLAKE3 hash over all of it is in the file's metadata.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::seam::NamedState;
use trainbook_callbacks::{Counters, Snapshot, TensorInfo};

use super::{Checkpoint, Rest};
use crate::Error;
use crate::random::Seed;
use crate::task::{LossScaleState, TaskState};
use crate::tensor_file::{Reader, Writer};

/// Version 2 has no scale of a loss, and other states of some callbacks. Version 3 has neither momenta nor
/// rates of groups, and no validation in the middle of epochs.
const VERSION: u32 = 4;
/// The name of the hash in the metadata.
const HASH: &str = "trainbook";
const STATE: &str = "trainbook/state";

/// What stands under [`STATE`].
#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    /// The network's tensors in its order, which the file does not keep.
    tensors: Vec<TensorInfo>,
    /// For each kind of moment how many elements it has of each trained tensor, in their order.
    moments: Vec<Vec<usize>>,
    updates: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_scale: Option<LossScaleState>,
    rest: Rest,
}

/// The version is read before the rest, which another may have changed.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn moment_name(kind: usize, tensor: usize) -> String {
    format!("trainbook/moment/{kind}/{tensor}")
}

impl Checkpoint {
    /// As a file's bytes.
    pub(in crate::trainer) fn encode(self) -> Result<Vec<u8>, Error> {
        let unencodable = |reason: String| Error::State(format!("it cannot be encoded: {reason}"));
        let Self { tensors, task, rest } = self;
        let tensors = tensors.unwrap_or_default();
        let lengths = |kind: &Vec<Vec<f32>>| kind.iter().map(Vec::len).collect();
        let state = State {
            version: VERSION,
            moments: task.moments.iter().map(lengths).collect(),
            updates: task.updates,
            loss_scale: task.loss_scale,
            tensors,
            rest,
        };
        let bytes = rmp_serde::to_vec_named(&state).map_err(|e| unencodable(e.to_string()))?;
        let mut hasher = hasher(&bytes);
        let mut file = Writer::default();
        for (info, values) in state.tensors.iter().zip(&task.weights.0) {
            add(&mut hasher, values);
            file.floats(info.name.clone(), info.shape.clone(), values);
        }
        for (number, kind) in task.moments.iter().enumerate() {
            for (tensor, values) in kind.iter().enumerate() {
                add(&mut hasher, values);
                file.floats(moment_name(number, tensor), vec![values.len()], values);
            }
        }
        file.bytes(STATE.to_owned(), &bytes);
        file.finish(HASH, &hasher.finalize().to_hex()).map_err(unencodable)
    }

    /// Of a file's bytes.
    ///
    /// # Errors
    /// The bytes are damaged, or no checkpoint, or one of a later version.
    pub(in crate::trainer) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: &str| Err(Error::State(reason.to_owned()));
        const NONE: &str =
            "it is damaged, or not a checkpoint: it is no safetensors file with trainbook's state";
        let Ok(file) = Reader::new(bytes) else {
            return first_version(bytes)
                .map_or_else(|| refuse(NONE), |read| read.map_err(Error::State));
        };
        let (Some(state), Some(hash)) = (file.bytes(STATE), file.metadata(HASH)) else {
            return refuse(NONE);
        };
        let unreadable = |error: rmp_serde::decode::Error| {
            Error::State(format!("it is not a checkpoint: {error}"))
        };
        let Versioned { version } = rmp_serde::from_slice(state).map_err(unreadable)?;
        if version > VERSION {
            return refuse(&format!(
                "a later version of trainbook wrote it (checkpoint format {version}; this one reads \
                 up to {VERSION})"
            ));
        }
        let mut hasher = hasher(state);
        let State { tensors, moments, updates, loss_scale, rest, .. } =
            rmp_serde::from_slice(state).map_err(unreadable)?;
        let mut read = |name: &str, shape: &[usize]| {
            let values = file.floats(name).filter(|read| read.0 == shape);
            let (_, values) = values.ok_or_else(|| {
                Error::State(format!("it is damaged: it lacks {name} of the shape {shape:?}"))
            })?;
            add(&mut hasher, &values);
            Ok::<_, Error>(values)
        };
        let weights = tensors.iter().map(|info| read(&info.name, &info.shape));
        let weights = Snapshot(weights.collect::<Result<_, _>>()?);
        let kinds = moments.iter().enumerate().map(|(kind, lengths)| {
            let tensors = lengths.iter().enumerate();
            tensors.map(|(tensor, len)| read(&moment_name(kind, tensor), &[*len])).collect()
        });
        let moments = kinds.collect::<Result<_, _>>()?;
        if hasher.finalize().to_hex().as_str() != hash {
            return refuse("it is damaged: its hash is not that of its content");
        }
        let task = TaskState { weights, moments, updates, loss_scale };
        Ok(Self { tensors: Some(tensors), task, rest })
    }
}

fn hasher(state: &[u8]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(state);
    hasher
}

/// Names and sizes are in the state, which comes first.
fn add(hasher: &mut blake3::Hasher, values: &[f32]) {
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
}

/// The first version: MessagePack with named fields and the BLAKE3 hash of that behind it. `None`
/// for what does not end with its hash.
fn first_version(bytes: &[u8]) -> Option<Result<Checkpoint, String>> {
    #[derive(Deserialize)]
    struct First {
        model: String,
        seed: Seed,
        learning_rate: f64,
        counters: [u64; 4],
        callbacks: Vec<NamedState>,
        task: TaskState,
    }
    let (content, hash) = bytes.split_last_chunk::<{ blake3::OUT_LEN }>()?;
    if blake3::hash(content) != *hash {
        return None;
    }
    let read = rmp_serde::from_slice(content).map_err(|e| format!("it is not a checkpoint: {e}"));
    Some(read.map(|First { model, seed, learning_rate, counters, callbacks, task }| {
        let [epoch, batches_seen, updates_attempted, updates_applied] = counters;
        let counters = Counters { epoch, batches_seen, updates_attempted, updates_applied };
        let (fit, data, recipe) = (None, None, None);
        let settings = learning_rate.into();
        let rest = Rest { model, seed, settings, counters, callbacks, fit, data, recipe };
        Checkpoint { tensors: None, task, rest }
    }))
}
