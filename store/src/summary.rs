//! What a list of runs shows of each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{EndState, Parent};
use crate::name::Name;
use crate::run_id::RunId;
use crate::value::Value;

/// What a list of runs shows of each, and what a query asks about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub id: RunId,
    /// The name that a person gave it.
    pub name: Option<String>,
    /// What has become of it.
    pub state: RunState,
    /// When it started; in JSON as RFC 3339 text.
    pub started_at: Timestamp,
    /// Seconds from start to end; `None` while it runs and when it crashed.
    pub seconds: Option<f64>,
    /// The seed of every random stream.
    pub seed: u64,
    /// The network, as text.
    pub model: String,
    /// The run on which it went on, if it did.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// Everything that was set.
    pub params: BTreeMap<Name, Value>,
    /// Labels to find it by.
    pub tags: BTreeMap<Name, String>,
    /// Every metric that was logged.
    pub metrics: BTreeMap<Name, Aggregate>,
    /// Updates applied. Before there is an end record: the highest step that any record names.
    pub steps: u64,
    /// Epochs finished. Before there is an end record: as the newest checkpoint says.
    pub epochs: u64,
    /// How many warnings its events hold.
    pub warnings: u64,
    /// What is wrong with its journal, if anything is; what is shown is then the part before that.
    pub damage: Option<String>,
}

/// The id, so that a run can be named by its summary.
impl AsRef<str> for RunSummary {
    fn as_ref(&self) -> &str {
        self.id.as_str()
    }
}

/// What has become of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunState {
    /// Its writer holds the journal's lock.
    Running,
    /// It did all that was asked for.
    Finished,
    /// It was stopped early, and its results hold.
    Stopped {
        /// Who or what, and why.
        reason: String,
    },
    /// It broke.
    Failed {
        /// The error, as text.
        error: String,
    },
    /// Its writer is gone without a word: the lock is free and there is no end record.
    Crashed,
}

impl RunState {
    /// Every name that [`name`](RunState::name) can give.
    pub const NAMES: [&'static str; 5] = ["running", "finished", "stopped", "failed", "crashed"];

    /// The state in one word, as a query compares it.
    pub fn name(&self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Finished => "finished",
            RunState::Stopped { .. } => "stopped",
            RunState::Failed { .. } => "failed",
            RunState::Crashed => "crashed",
        }
    }

    /// Why it was stopped or failed.
    pub fn reason(&self) -> Option<&str> {
        match self {
            RunState::Stopped { reason } => Some(reason),
            RunState::Failed { error } => Some(error),
            RunState::Running | RunState::Finished | RunState::Crashed => None,
        }
    }
}

impl From<EndState> for RunState {
    fn from(end: EndState) -> RunState {
        match end {
            EndState::Finished => RunState::Finished,
            EndState::Stopped { reason } => RunState::Stopped { reason },
            EndState::Failed { error } => RunState::Failed { error },
        }
    }
}

/// A metric over the whole run.
///
/// NaN is counted and otherwise left out: it never becomes `min`, `max` or `mean`, so a run that
/// diverged after its best step still shows that step. `first` and `last` are what was logged, NaN
/// or not. When every point is NaN, `min`, `max` and `mean` are NaN, and `argmin` and `argmax` the
/// first step. JSON has no NaN and no infinity and shows `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// How many points, NaN among them.
    pub count: u64,
    /// How many of them are NaN.
    pub nan_count: u64,
    /// The value that was logged first.
    pub first: f64,
    /// The value that was logged last.
    pub last: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The step of the least value, the first one if there are several.
    pub argmin: u64,
    /// The step of the greatest value, the first one if there are several.
    pub argmax: u64,
}

impl Aggregate {
    /// Of a series of (step, value) in the order of logging; `None` if it is empty.
    pub fn of(series: &[(u64, f64)]) -> Option<Aggregate> {
        let (&(step, value), rest) = series.split_first()?;
        let mut running = RunningAggregate::new(step, value);
        for &(step, value) in rest {
            running.add(step, value);
        }
        Some(running.aggregate())
    }
}

/// An [`Aggregate`] to which points can still be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunningAggregate {
    /// Its mean is not kept up to date.
    aggregate: Aggregate,
    sum: f64,
}

impl RunningAggregate {
    /// Of one point.
    pub(crate) fn new(step: u64, value: f64) -> RunningAggregate {
        let aggregate = Aggregate {
            count: 0,
            nan_count: 0,
            first: value,
            last: value,
            min: f64::NAN,
            max: f64::NAN,
            mean: f64::NAN,
            argmin: step,
            argmax: step,
        };
        let mut running = RunningAggregate { aggregate, sum: 0.0 };
        running.add(step, value);
        running
    }

    /// Adds the next point.
    pub(crate) fn add(&mut self, step: u64, value: f64) {
        let aggregate = &mut self.aggregate;
        aggregate.count += 1;
        aggregate.last = value;
        if value.is_nan() {
            aggregate.nan_count += 1;
            return;
        }
        self.sum += value;
        if aggregate.min.is_nan() || value < aggregate.min {
            (aggregate.min, aggregate.argmin) = (value, step);
        }
        if aggregate.max.is_nan() || value > aggregate.max {
            (aggregate.max, aggregate.argmax) = (value, step);
        }
    }

    /// Of the points so far.
    pub(crate) fn aggregate(&self) -> Aggregate {
        let Aggregate { count, nan_count, .. } = self.aggregate;
        let mean = if nan_count < count { self.sum / (count - nan_count) as f64 } else { f64::NAN };
        Aggregate { mean, ..self.aggregate.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_counted_and_never_wins() {
        let series = [(1, f64::NAN), (2, 4.0), (3, 1.0), (4, 1.0), (5, f64::NAN), (6, 4.0)];
        let aggregate = Aggregate::of(&series).unwrap();
        assert_eq!((aggregate.count, aggregate.nan_count), (6, 2));
        assert!(aggregate.first.is_nan());
        assert_eq!(
            (aggregate.last, aggregate.min, aggregate.max, aggregate.mean),
            (4.0, 1.0, 4.0, 2.5)
        );
        assert_eq!((aggregate.argmin, aggregate.argmax), (3, 2));
    }

    #[test]
    fn nothing_but_nan_has_no_extremes() {
        let aggregate = Aggregate::of(&[(7, f64::NAN), (8, f64::NAN)]).unwrap();
        assert!(aggregate.min.is_nan() && aggregate.max.is_nan() && aggregate.mean.is_nan());
        assert_eq!((aggregate.argmin, aggregate.argmax, aggregate.nan_count), (7, 7, 2));
        assert_eq!(Aggregate::of(&[]), None);
    }

    #[test]
    fn infinities_are_values() {
        let aggregate = Aggregate::of(&[(1, f64::NEG_INFINITY), (2, 0.0)]).unwrap();
        assert_eq!(
            (aggregate.min, aggregate.max, aggregate.mean),
            (f64::NEG_INFINITY, 0.0, f64::NEG_INFINITY)
        );
    }
}
