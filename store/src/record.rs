//! A run as a whole, put together from its journal.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::{Result, StoreError};
use crate::event::{DataFingerprint, Entry, MetricName, PlannedCallback, RunEvent, RunStart, TimedEvent};
use crate::journal::reader::{self, Journal};
use crate::run_id::RunId;
use crate::summary::{Aggregate, RunState, RunSummary};

/// Everything that is known about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// What a list would show.
    pub summary: RunSummary,
    /// The callbacks in the order in which they ran.
    pub plan: Vec<PlannedCallback>,
    /// Where it ran.
    pub environment: Environment,
    /// What it was trained on.
    pub data: DataFingerprint,
    /// Every metric as (step, value), in the order of logging.
    pub series: BTreeMap<MetricName, Vec<(u64, f64)>>,
    /// What happened, in order.
    pub events: Vec<TimedEvent>,
    /// What is wrong with the journal, if anything is; the record is then the part before that.
    pub damage: Option<String>,
}

/// A record and how it was come by.
pub(crate) struct Loaded {
    pub(crate) record: RunRecord,
    /// How long the journal was when it was read, in bytes, if the record stays true as long as it has that length.
    pub(crate) settled_length: Option<u64>,
}

/// Reads the run `id` from its journal. `None` when its first record is still being written.
pub(crate) fn load(id: &RunId, path: &Path) -> Result<Option<Loaded>> {
    let Some(journal) = reader::read(path).map_err(StoreError::io("read", path))? else { return Ok(None) };
    let Journal { entries, length, live, damage } = journal;
    let unreadable = |why: String| StoreError::UnreadableRun { path: path.to_owned(), why };
    let mut entries = entries.into_iter();
    let (at, start) = match entries.next() {
        Some(Entry::Start { id: own, at, start }) if own == *id => (at, *start),
        Some(Entry::Start { id: own, .. }) => {
            return Err(unreadable(format!("it is the journal of run {own}, renamed")));
        }
        _ => return Err(unreadable(damage.unwrap_or_else(|| "it has no start record".to_owned()))),
    };
    let record = assemble(id.clone(), at, start, entries, live, damage);
    let settled = !live || !matches!(record.summary.state, RunState::Running);
    Ok(Some(Loaded { record, settled_length: settled.then_some(length) }))
}

fn assemble(
    id: RunId,
    started_at: Timestamp,
    start: RunStart,
    entries: impl Iterator<Item = Entry>,
    live: bool,
    damage: Option<String>,
) -> RunRecord {
    let RunStart { name, params, tags, seed, model, data, plan, environment } = start;
    let mut series: BTreeMap<MetricName, Vec<(u64, f64)>> = BTreeMap::new();
    let mut events: Vec<TimedEvent> = Vec::new();
    let mut ending = None;
    let (mut steps, mut epochs, mut warnings) = (0, 0, 0);
    for entry in entries {
        match entry {
            Entry::Start { .. } => {} // the reader lets only the first through
            Entry::Metrics(block) => {
                for (name, points) in block.into_columns() {
                    steps = points.iter().fold(steps, |steps, point| steps.max(point.0));
                    series.entry(name).or_default().extend(points);
                }
            }
            Entry::Event(event) => {
                match &event.event {
                    RunEvent::Checkpoint { step, epoch, .. } => (steps, epochs) = (steps.max(*step), *epoch),
                    RunEvent::Warning { .. } => warnings += 1,
                    // so that a query finds a run by them
                    RunEvent::Evaluation { metrics, .. } => {
                        for metric in metrics {
                            series.entry(metric.name.clone()).or_default().push((steps, metric.value));
                        }
                    }
                    _ => {}
                }
                events.push(event);
            }
            Entry::End { seconds, end, .. } => ending = Some((seconds, end)),
        }
    }
    let (state, seconds) = match ending {
        Some((seconds, end)) => {
            (steps, epochs) = (end.counters.steps, end.counters.epochs);
            (RunState::from(end.state), Some(seconds))
        }
        None => (if live { RunState::Running } else { RunState::Crashed }, None),
    };
    let metrics = series.iter().filter_map(|(name, points)| Some((name.clone(), Aggregate::of(points)?))).collect();
    let summary = RunSummary {
        id,
        name,
        state,
        started_at,
        seconds,
        seed,
        model,
        params,
        tags,
        metrics,
        steps,
        epochs,
        warnings,
        damage: damage.clone(),
    };
    RunRecord { summary, plan, environment, data, series, events, damage }
}

/// What a list shows of a run whose journal says nothing: that it is there, and why nothing is known.
pub(crate) fn unreadable(id: &RunId, why: String) -> RunSummary {
    RunSummary {
        id: id.clone(),
        name: None,
        state: RunState::Crashed,
        started_at: id.started_at(),
        seconds: None,
        seed: 0,
        model: String::new(),
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: BTreeMap::new(),
        steps: 0,
        epochs: 0,
        warnings: 0,
        damage: Some(why),
    }
}
