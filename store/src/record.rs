//! A run as a whole, put together from its journal.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::claims::Claims;
use crate::environment::{self, Environment};
use crate::error::{Result, StoreError};
use crate::event::{
    CallbackCost, DataFingerprint, Entry, PlannedCallback, RunEvent, RunStart, TimedEvent,
};
use crate::fold::{self, Fold};
use crate::journal::reader::{self, Part};
use crate::lock::is_stopped;
use crate::name::Name;
use crate::run_id::RunId;
use crate::summary::{RunState, RunSummary};

/// Everything that is known about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// What a list would show.
    pub summary: RunSummary,
    /// The callbacks in the order in which they ran.
    pub plan: Vec<PlannedCallback>,
    /// Everything that decides the run, as JSON, as its writer wrote it; `None` if it wrote none.
    pub recipe: Option<String>,
    /// Where it ran.
    pub environment: Environment,
    /// What it was trained on.
    pub data: DataFingerprint,
    /// Every metric as (step, value), in the order of logging.
    pub series: BTreeMap<Name, Vec<(u64, f64)>>,
    /// What happened, in order. Checkpoints that were [released](RunEvent::Released) are not in it,
    /// nor are their releases.
    pub events: Vec<TimedEvent>,
    /// What is wrong with the journal, if anything is; the record is then the part before that.
    pub damage: Option<String>,
}

/// The id, so that a run can be named by its record.
impl AsRef<str> for RunRecord {
    fn as_ref(&self) -> &str {
        self.summary.id.as_str()
    }
}

impl RunRecord {
    /// What its callbacks took of its fit's time: the fit's seconds, and each callback at each of its
    /// moments. `None` before its end, and of runs from before format 3.
    pub fn callback_costs(&self) -> Option<(f64, &[CallbackCost])> {
        self.events.iter().rev().find_map(|event| match &event.event {
            RunEvent::CallbackCosts { seconds, costs } => Some((*seconds, &costs[..])),
            _ => None,
        })
    }

    /// The process that records the run, if the run is [running](RunState::Running) and that
    /// process was stopped by a signal, as Ctrl-Z does: such a run goes on when the process is
    /// continued, and until then records nothing. `None` for a process of another machine, and
    /// where the system does not tell.
    pub fn stopped_writer(&self) -> Option<u32> {
        let Environment { process_id, host_name, .. } = &self.environment;
        let is_here = host_name.is_some() && *host_name == environment::host_name();
        (self.summary.state == RunState::Running && is_here && is_stopped(*process_id))
            .then_some(*process_id)
    }
}

/// A record that grows as its journal does.
#[derive(Debug)]
pub(crate) struct Growing {
    fold: Fold,
    claims: Claims,
    /// How many events there were, those among them that are not listed.
    noted: usize,
    /// Of each event that is listed, how many there were before it.
    places: Vec<usize>,
    record: RunRecord,
}

impl Growing {
    /// Begins with the first record of the journal at `path`; `damage` says why there is none, if
    /// there is none.
    pub(crate) fn begin(
        id: &RunId,
        path: &Path,
        first: Option<Entry>,
        damage: Option<&str>,
    ) -> Result<Growing> {
        let (fold, start) = Fold::begin(id, path, first, damage)?;
        let RunStart { plan, recipe, environment, data, .. } = start;
        let (series, events) = (BTreeMap::new(), Vec::new());
        let summary = fold.summary(true, None);
        let record =
            RunRecord { summary, plan, recipe, environment, data, series, events, damage: None };
        Ok(Growing { fold, claims: Claims::default(), noted: 0, places: Vec::new(), record })
    }

    /// Adds what came next. The points only if they are wanted.
    pub(crate) fn extend(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        live: bool,
        damage: Option<String>,
        with_points: bool,
    ) {
        for entry in entries {
            let series = &mut self.record.series;
            self.fold.apply(&entry, |name, step, value| {
                if with_points {
                    fold::push(series, name, step, value);
                }
            });
            if let Entry::Event(event) = entry {
                self.add_event(event);
            }
        }
        self.record.summary = self.fold.summary(live, damage.clone());
        self.record.damage = damage;
    }

    fn add_event(&mut self, event: TimedEvent) {
        let taken_back = self.claims.note(&event.event, self.noted);
        if let Some(place) = taken_back
            && let Ok(at) = self.places.binary_search(&place)
        {
            self.places.remove(at);
            self.record.events.remove(at);
        }
        if !matches!(event.event, RunEvent::Released { .. }) {
            self.places.push(self.noted);
            self.record.events.push(event);
        }
        self.noted += 1;
    }

    pub(crate) fn record(&self) -> &RunRecord {
        &self.record
    }

    pub(crate) fn into_record(self) -> RunRecord {
        self.record
    }
}

/// Reads the run `id` from its journal. `None` when its first record is still being written.
pub(crate) fn load(id: &RunId, path: &Path) -> Result<Option<RunRecord>> {
    let part = reader::read(path).map_err(StoreError::io("read", path))?;
    part.map(|part| of(id, path, part)).transpose()
}

/// The run `id`, of whose journal at `path` this is the whole.
pub(crate) fn of(id: &RunId, path: &Path, part: Part) -> Result<RunRecord> {
    let Part { entries, live, damage, .. } = part;
    let mut entries = entries.into_iter();
    let mut growing = Growing::begin(id, path, entries.next(), damage.as_deref())?;
    growing.extend(entries, live, damage, true);
    Ok(growing.into_record())
}

/// What a list shows of a run whose journal says nothing: that it is there, and why nothing is
/// known.
pub(crate) fn unreadable(id: &RunId, why: String) -> RunSummary {
    RunSummary {
        id: id.clone(),
        name: None,
        state: RunState::Crashed,
        started_at: id.started_at(),
        seconds: None,
        seed: 0,
        model: String::new(),
        parent: None,
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: BTreeMap::new(),
        steps: 0,
        epochs: 0,
        warnings: 0,
        damage: Some(why),
    }
}
