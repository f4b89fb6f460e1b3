//! What a run records: its start, its metrics, what happened, its end.
//!
//! These types are the journal's format. A journal is a sequence of [`Entry`]s in MessagePack with
//! named fields, so that a field can be added (with `#[serde(default)]`) and an old journal still
//! reads. Names, once released, stay.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::journal::block::Block;
use crate::name::Name;
use crate::object_id::ObjectId;
use crate::run_id::RunId;
use crate::value::Value;

/// One number under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured.
    pub name: Name,
    /// What came out. NaN and the infinities are recorded as they are.
    pub value: f64,
}

impl Metric {
    /// `value` under `name`.
    pub fn new(name: impl Into<Name>, value: f64) -> Metric {
        Metric { name: name.into(), value }
    }
}

/// What is known about a run before its first step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunStart {
    /// A name that a person gave; it need not be unique.
    pub name: Option<String>,
    /// Everything that was set, flat: `lr`, `batch_size`, `optimizer`.
    pub params: BTreeMap<Name, Value>,
    /// Labels to find the run by.
    pub tags: BTreeMap<Name, String>,
    /// The seed of every random stream.
    pub seed: u64,
    /// The network, as text.
    pub model: String,
    /// What it was trained on.
    pub data: DataFingerprint,
    /// The callbacks in the order in which they run.
    pub plan: Vec<PlannedCallback>,
    /// Everything that decides the run, as JSON, so that it can be made again: the network under
    /// `network`, and what else its writer knows how to read. `None` in journals older than it.
    pub recipe: Option<String>,
    /// The run on which it went on; `None` for one that began by itself.
    pub parent: Option<Parent>,
    /// Where it ran.
    pub environment: Environment,
}

/// The run on which another went on, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The earlier run.
    pub run: RunId,
    /// The step of its metrics behind which the later run went on.
    pub step: u64,
    /// Whether the later run went on with what the earlier one had not finished, rather than with
    /// something new on what it had come to.
    pub resumed: bool,
}

/// Which data a run saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataFingerprint {
    /// Where the data came from: a path or a description.
    pub source: String,
    /// How many samples.
    pub rows: u64,
    /// A hash of the samples.
    pub hash: String,
}

/// One callback of the resolved plan, with its declared effects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedCallback {
    /// The callback.
    pub name: String,
    /// The phase that it runs in.
    pub phase: String,
    /// What it reads.
    pub reads: Vec<String>,
    /// What it writes.
    pub writes: Vec<String>,
}

/// Something that happened, at most a few times in an epoch. What happens every step is a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// The training state was stored.
    Checkpoint {
        /// What it is, for example `best` or `last`.
        label: String,
        /// Updates applied so far.
        step: u64,
        /// Epochs finished so far.
        epoch: u64,
        /// Where the state lies.
        object: ObjectId,
        /// What made it worth keeping.
        metric: Option<Metric>,
    },
    /// A checkpoint of this run is no longer kept: it takes back one earlier
    /// [`Checkpoint`](RunEvent::Checkpoint) with this label and this object, the first of several;
    /// with a metric, the first that was earned by it.
    /// A run's record then lists neither of them. Since format 2.
    Released {
        /// What the checkpoint was.
        label: String,
        /// Where its state lies, until the collection of garbage.
        object: ObjectId,
        /// The metric that had earned it, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric: Option<Name>,
    },
    /// The network was written to an ONNX file and checked.
    Export {
        /// Where to.
        path: String,
        /// SHA-256 of the file.
        sha256: String,
        /// SHA-256 of graph and weights, without metadata.
        graph_sha256: String,
        /// What it was checked in, with its version.
        runtime: String,
        /// The largest absolute difference of any output.
        max_abs_diff: f64,
        /// How many times it was run and compared.
        #[serde(default)]
        comparisons: u64,
        /// The largest share of what f32 rounding explains that any output used.
        #[serde(default)]
        margin_used: f64,
        /// What a second engine said.
        #[serde(default)]
        second_opinion: Option<String>,
    },
    /// The network was evaluated, for example on the test part.
    Evaluation {
        /// The part of the data.
        part: String,
        /// What came out, under names such as `test_accuracy`; they are also points of the run's
        /// metrics, at its last step.
        metrics: Vec<Metric>,
    },
    /// What callbacks took of the fit's time, at its end. Since format 3.
    CallbackCosts {
        /// What the fit took, in seconds, recording included.
        seconds: f64,
        /// Each callback at each moment at which it was called.
        costs: Vec<CallbackCost>,
    },
    /// A remark.
    Note {
        /// The remark.
        text: String,
    },
    /// Something that a person should look at.
    Warning {
        /// What and why.
        text: String,
    },
}

/// What one callback took at one moment over a whole fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallbackCost {
    /// The callback.
    pub callback: String,
    /// The moment, for example "step_end".
    pub moment: String,
    /// How often it was called.
    pub calls: u64,
    /// Seconds that all calls took together; those of a step's moments were timed in some steps and
    /// reckoned from them.
    pub seconds: f64,
}

/// An event and when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// When it was handed to the run's writer.
    pub at: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

/// How a run ended, as its trainer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Why it ended.
    pub state: EndState,
    /// How far it came.
    pub counters: Counters,
}

impl RunEnd {
    /// An end after so many updates applied and epochs finished.
    pub fn new(state: EndState, steps: u64, epochs: u64) -> RunEnd {
        RunEnd { state, counters: Counters { steps, epochs } }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// It did all that was asked for.
    Finished,
    /// A callback, a budget or a person stopped it early, and its results hold.
    Stopped {
        /// Who or what, and why.
        reason: String,
    },
    /// It broke.
    Failed {
        /// The error, as text.
        error: String,
    },
}

/// How far a run came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Updates applied.
    pub steps: u64,
    /// Epochs finished.
    pub epochs: u64,
}

/// One record of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// Always the first, and only the first.
    Start { id: RunId, at: Timestamp, start: Box<RunStart> },
    /// Some points of some metrics.
    Metrics(Block),
    /// Before or after the end.
    Event(TimedEvent),
    /// At most one. The seconds are measured by a clock that nobody sets.
    End { at: Timestamp, seconds: f64, end: RunEnd },
}
