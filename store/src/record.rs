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
use crate::fold::{Fold, Series};
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

/// Reads the run `id` from its journal. `None` when its first record is still being written.
pub(crate) fn load(id: &RunId, path: &Path) -> Result<Option<RunRecord>> {
    let Some(Part { entries, live, damage, .. }) =
        reader::read(path).map_err(StoreError::io("read", path))?
    else {
        return Ok(None);
    };
    let mut entries = entries.into_iter();
    let (mut fold, start) = Fold::begin(id, path, entries.next(), damage.as_deref())?;
    let (mut series, mut events, mut claims) = (Series::new(), Vec::new(), Claims::default());
    for entry in entries {
        fold.apply(&entry, |name, step, value| series.push(name, step, value));
        if let Entry::Event(event) = entry {
            let taken_back = claims.note(&event.event, events.len());
            if let Some(checkpoint) = taken_back.and_then(|place| events.get_mut(place)) {
                *checkpoint = None;
            }
            events.push(Some(event).filter(|event| !is_release(&event.event)));
        }
    }
    let events = events.into_iter().flatten().collect();
    let RunStart { plan, recipe, environment, data, .. } = start;
    let (summary, series) = (fold.summary(live, damage.clone()), series.into_map());
    Ok(Some(RunRecord { summary, plan, recipe, environment, data, series, events, damage }))
}

fn is_release(event: &RunEvent) -> bool {
    matches!(event, RunEvent::Released { .. })
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
