//! The runs that somebody looks at, kept up to date from the ends of their journals.
//!
//! A page asks every two seconds. To read the whole journal of a run of a million steps each time
//! would take from its training; what came behind the last look is short.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use trainbook_store::{Result, RunRecord, Store, Tail};

/// How many runs are kept; of more, all are let go and those still looked at read anew.
const MOST: usize = 16;

/// The runs that somebody looks at.
#[derive(Debug, Default)]
pub(super) struct Watch {
    runs: Mutex<HashMap<String, Arc<Mutex<Watched>>>>,
}

/// A run without its points, and where its journal was read up to.
#[derive(Debug)]
struct Watched {
    tail: Tail,
    record: RunRecord,
}

impl Watch {
    /// The run as it is now, without its points.
    pub(super) fn record(&self, store: &Store, id: &str) -> Result<RunRecord> {
        let id = store.summary(id)?.id;
        let known = self.runs().get(id.as_str()).map(Arc::clone);
        if let Some(known) = known {
            let mut watched = known.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.refresh(store)? {
                return Ok(watched.record.clone());
            }
        }
        let watched = Watched::of(store, id.as_str())?;
        let record = watched.record.clone();
        let mut runs = self.runs();
        if runs.len() >= MOST {
            runs.clear();
        }
        runs.insert(id.to_string(), Arc::new(Mutex::new(watched)));
        Ok(record)
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mutex<Watched>>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn of(store: &Store, id: &str) -> Result<Watched> {
        let mut tail = store.tail(id)?;
        tail.poll()?;
        Ok(Watched { tail, record: whole(store, id)? })
    }

    /// Brings it up to date. False if it must be read anew.
    fn refresh(&mut self, store: &Store) -> Result<bool> {
        let Ok(Some(update)) = self.tail.poll() else { return Ok(false) };
        if update.events.is_empty() {
            self.record.damage.clone_from(&update.summary.damage);
            self.record.summary = update.summary;
        } else {
            // An event may take back an earlier one.
            let id = self.record.summary.id.to_string();
            self.record = whole(store, &id)?;
        }
        Ok(true)
    }
}

fn whole(store: &Store, id: &str) -> Result<RunRecord> {
    let mut record = store.run(id)?;
    record.series.clear();
    Ok(record)
}
