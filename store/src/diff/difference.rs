//! One field that differs.

use serde::Serialize;

use crate::value::Value;

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field: `params.lr`, `data.hash`, `environment.git_commit`, `metrics.loss.min`.
    pub path: String,
    /// What kind of thing it is.
    pub group: Group,
    /// Its value in the first run; absent if it has none, which is not the same as any value. NaN
    /// is `null` in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value>,
    /// Its value in the second run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value>,
}

/// The kinds of things that a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Parameters, seed, model, plan, tags.
    Settings,
    /// What was trained on.
    Data,
    /// The commit, its changes, the lock file, and how trainbook was built.
    Code,
    /// Processor, cards, memory, threads, system.
    Machine,
    /// How the run ended, metrics, events.
    Results,
    /// What differs between any two runs.
    Circumstances,
}
