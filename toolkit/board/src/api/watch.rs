//! The runs that somebody looks at, kept up to date from the ends of their journals.
//!
//! A page asks every two seconds. To read the whole journal of a run of a million steps each time
//! would take from its training; what came behind the last look is short.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trainbook_store::{Result, RunId, RunRecord, Store, Watched};

/// How many runs are kept; of more, all are let go and those still looked at read anew.
const MOST: usize = 16;

/// The runs that somebody looks at, without their points.
#[derive(Debug, Default)]
pub(super) struct Watch {
    runs: Mutex<HashMap<RunId, Arc<Mutex<Watched>>>>,
}

/// A run at one moment: how long its journal was, what had become of it, and what was wrong. While
/// these stay, nothing about it changes.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) id: RunId,
    /// These, as text.
    pub(super) seen: String,
}

impl Watch {
    /// The run as it is now, without its points.
    pub(super) fn record(&self, store: &Store, id: &str) -> Result<RunRecord> {
        self.look(store, id, |run| run.record().clone())
    }

    /// By what a change of the run is known.
    pub(super) fn moment(&self, store: &Store, id: &str) -> Result<Moment> {
        self.look(store, id, |run| {
            let RunRecord { summary, damage, .. } = run.record();
            let seen = format!("{} {:?} {damage:?}", run.length(), summary.state);
            Moment { id: run.id().clone(), seen }
        })
    }

    /// Brings the run up to date and looks at it.
    fn look<T>(&self, store: &Store, id: &str, look: impl FnOnce(&Watched) -> T) -> Result<T> {
        let id = store.summary(id)?.id;
        let known = lock(&self.runs).get(&id).map(Arc::clone);
        if let Some(known) = known {
            let mut run = lock(&known);
            if run.refresh().is_ok() {
                return Ok(look(&run));
            }
        }
        let run = store.watch(id.as_str(), false)?;
        let answer = look(&run);
        let mut runs = lock(&self.runs);
        if runs.len() >= MOST {
            runs.clear();
        }
        runs.insert(id, Arc::new(Mutex::new(run)));
        Ok(answer)
    }
}

/// What a thread was at that panicked, is refreshed or read anew.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
