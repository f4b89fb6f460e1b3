//! What the records of a journal add up to, one after the other.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::event::{Counters, EndState, Entry, Parent, RunEvent, RunStart};
use crate::name::Name;
use crate::run_id::RunId;
use crate::summary::{RunState, RunSummary, RunningAggregate};
use crate::value::Value;

/// The sum of a journal's first records. Adding the rest gives what adding all at once would.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fold {
    id: RunId,
    started_at: Timestamp,
    name: Option<String>,
    params: BTreeMap<Name, Value>,
    tags: BTreeMap<Name, String>,
    seed: u64,
    model: String,
    #[serde(default)]
    parent: Option<Parent>,
    metrics: BTreeMap<Name, RunningAggregate>,
    steps: u64,
    epochs: u64,
    warnings: u64,
    ending: Option<Ending>,
}

/// The points that a fold shows, metric by metric.
#[derive(Debug, Default)]
pub(crate) struct Series(BTreeMap<Name, Vec<(u64, f64)>>);

impl Series {
    pub(crate) fn new() -> Series {
        Series::default()
    }

    /// Adds the next point of a metric.
    pub(crate) fn push(&mut self, metric: &Name, step: u64, value: f64) {
        push(&mut self.0, metric, step, value);
    }

    /// Takes the points of one metric out.
    pub(crate) fn remove(&mut self, metric: &str) -> Option<Vec<(u64, f64)>> {
        self.0.remove(metric)
    }

    pub(crate) fn into_map(self) -> BTreeMap<Name, Vec<(u64, f64)>> {
        self.0
    }
}

/// Adds the next point of a metric.
pub(crate) fn push(
    series: &mut BTreeMap<Name, Vec<(u64, f64)>>,
    metric: &Name,
    step: u64,
    value: f64,
) {
    // Most points are not the first, and only the first needs the name.
    match series.get_mut(metric) {
        Some(points) => points.push((step, value)),
        None => drop(series.insert(metric.clone(), vec![(step, value)])),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ending {
    state: EndState,
    seconds: f64,
    counters: Counters,
}

impl Fold {
    /// Begins with the first record of the journal at `path`; `damage` says why there is none, if
    /// there is none. Gives the start back, of which a list needs only a part.
    pub(crate) fn begin(
        id: &RunId,
        path: &Path,
        first: Option<Entry>,
        damage: Option<&str>,
    ) -> Result<(Fold, RunStart)> {
        let unreadable = |why: String| StoreError::UnreadableRun { path: path.to_owned(), why };
        let (started_at, start) = match first {
            Some(Entry::Start { id: own, at, start }) if own == *id => (at, *start),
            Some(Entry::Start { id: own, .. }) => {
                return Err(unreadable(format!("it is the journal of run {own}, renamed")));
            }
            _ => return Err(unreadable(damage.unwrap_or("it has no start record").to_owned())),
        };
        let fold = Fold {
            id: id.clone(),
            started_at,
            name: start.name.clone(),
            params: start.params.clone(),
            tags: start.tags.clone(),
            seed: start.seed,
            model: start.model.clone(),
            parent: start.parent.clone(),
            metrics: BTreeMap::new(),
            steps: 0,
            epochs: 0,
            warnings: 0,
            ending: None,
        };
        Ok((fold, start))
    }

    /// Adds the next record. `point` is shown every point of every metric, each metric's in the
    /// order of logging.
    pub(crate) fn apply(&mut self, entry: &Entry, mut point: impl FnMut(&Name, u64, f64)) {
        match entry {
            Entry::Start { .. } => {} // the reader lets only the first through
            Entry::Metrics(block) => {
                for (name, points) in block.columns() {
                    let mut points = points.peekable();
                    let Some(&(step, value)) = points.peek() else { continue };
                    let aggregate = match self.metrics.get_mut(name) {
                        Some(aggregate) => aggregate,
                        None => {
                            points.next();
                            self.steps = self.steps.max(step);
                            point(name, step, value);
                            self.metrics
                                .entry(name.clone())
                                .or_insert(RunningAggregate::new(step, value))
                        }
                    };
                    for (step, value) in points {
                        aggregate.add(step, value);
                        self.steps = self.steps.max(step);
                        point(name, step, value);
                    }
                }
            }
            Entry::Event(event) => match &event.event {
                RunEvent::Checkpoint { step, epoch, .. } => {
                    (self.steps, self.epochs) = (self.steps.max(*step), *epoch);
                }
                RunEvent::Warning { .. } => self.warnings += 1,
                // so that a query finds a run by them
                RunEvent::Evaluation { metrics, .. } => {
                    for metric in metrics {
                        let step = self.steps;
                        self.metrics
                            .entry(metric.name.clone())
                            .and_modify(|aggregate| aggregate.add(step, metric.value))
                            .or_insert_with(|| RunningAggregate::new(step, metric.value));
                        point(&metric.name, step, metric.value);
                    }
                }
                _ => {}
            },
            Entry::End { seconds, end, .. } => {
                self.ending = Some(Ending {
                    state: end.state.clone(),
                    seconds: *seconds,
                    counters: end.counters,
                });
            }
        }
    }

    /// What a list shows, given whether the writer is there and what is wrong with the journal.
    pub(crate) fn summary(&self, live: bool, damage: Option<String>) -> RunSummary {
        let state = match &self.ending {
            Some(ending) => RunState::from(ending.state.clone()),
            None if live => RunState::Running,
            None => RunState::Crashed,
        };
        let so_far = Counters { steps: self.steps, epochs: self.epochs };
        let Counters { steps, epochs } =
            self.ending.as_ref().map_or(so_far, |ending| ending.counters);
        RunSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            state,
            started_at: self.started_at,
            seconds: self.ending.as_ref().map(|ending| ending.seconds),
            seed: self.seed,
            model: self.model.clone(),
            parent: self.parent.clone(),
            params: self.params.clone(),
            tags: self.tags.clone(),
            metrics: self
                .metrics
                .iter()
                .map(|(name, running)| (name.clone(), running.aggregate()))
                .collect(),
            steps,
            epochs,
            warnings: self.warnings,
            damage,
        }
    }
}
