//! A run as it grows.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Result, StoreError};
use crate::event::{Entry, TimedEvent};
use crate::fold::Fold;
use crate::journal::reader::{self, Part, Position};
use crate::name::Name;
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// Follows a run: each [`poll`](Tail::poll) gives what was recorded since the one before, read from
/// where that one ended. Needs no lock and slows nobody down.
#[derive(Debug)]
pub struct Tail {
    id: RunId,
    path: PathBuf,
    position: Position,
    fold: Option<Fold>,
}

/// What was recorded between two polls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Update {
    /// New points, in the order of the journal: metric, step, value.
    pub points: Vec<(Name, u64, f64)>,
    /// New events.
    pub events: Vec<TimedEvent>,
    /// What the run as a whole looks like now.
    pub summary: RunSummary,
    /// Whether the writer still holds the run. Once it does not, there will be nothing new.
    pub live: bool,
}

impl Tail {
    pub(crate) fn new(id: RunId, path: PathBuf) -> Tail {
        Tail { id, path, position: Position::default(), fold: None }
    }

    /// The run that this follows.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// What is new. `None` while the run's first record is being written.
    ///
    /// # Errors
    /// When the journal is gone or cannot be read.
    pub fn poll(&mut self) -> Result<Option<Update>> {
        let part = reader::read_from(&self.path, self.position)
            .map_err(StoreError::io("read", &self.path))?;
        let Some(Part { entries, end, live, damage, .. }) = part else { return Ok(None) };
        let mut entries = entries.into_iter();
        let mut fold = match self.fold.take() {
            Some(fold) => fold,
            None => Fold::begin(&self.id, &self.path, entries.next(), damage.as_deref())?.0,
        };
        let (mut points, mut events) = (Vec::new(), Vec::new());
        for entry in entries {
            fold.apply(&entry, |name, step, value| points.push((name.clone(), step, value)));
            if let Entry::Event(event) = entry {
                events.push(event);
            }
        }
        let summary = fold.summary(live, damage);
        (self.position, self.fold) = (end, Some(fold));
        Ok(Some(Update { points, events, summary, live }))
    }
}
