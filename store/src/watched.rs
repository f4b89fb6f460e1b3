//! A run's record, kept up to date.

use std::path::PathBuf;

use crate::error::{Result, StoreError};
use crate::journal::reader::{self, Part, Position};
use crate::record::{Growing, RunRecord};
use crate::run_id::RunId;
use crate::store::{Store, just_starting};

/// The record of a run that may be growing. Its journal is read once; each
/// [`refresh`](Watched::refresh) reads what came behind, a checkpoint that takes back an earlier one
/// included. Needs no lock and slows nobody down.
#[derive(Debug)]
pub struct Watched {
    id: RunId,
    path: PathBuf,
    position: Position,
    with_points: bool,
    growing: Growing,
}

impl Store {
    /// Begins to watch a run. Without points, its record has no
    /// [`series`](RunRecord::series), which of a long run take most of the memory.
    ///
    /// # Errors
    /// As [`run`](Store::run).
    pub fn watch(&self, run: impl AsRef<str>, with_points: bool) -> Result<Watched> {
        let id = self.find(run.as_ref())?;
        let path = self.journals().path(&id);
        let part = reader::read(&path).map_err(StoreError::io("read", &path))?;
        let Some(Part { entries, end, live, damage, .. }) = part else {
            return Err(just_starting(&path));
        };
        let mut entries = entries.into_iter();
        let mut growing = Growing::begin(&id, &path, entries.next(), damage.as_deref())?;
        growing.extend(entries, live, damage, with_points);
        Ok(Watched { id, path, position: end, with_points, growing })
    }
}

impl Watched {
    /// The run.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The record as it was at the last [`refresh`](Watched::refresh).
    pub fn record(&self) -> &RunRecord {
        self.growing.record()
    }

    /// How much of its journal was read, in bytes. While this and the run's
    /// [state](crate::RunState) stay, nothing of the record changes but what is wrong behind it.
    pub fn length(&self) -> u64 {
        self.position.offset
    }

    /// Reads what is new. Whether the record has changed.
    ///
    /// # Errors
    /// When the journal is gone or cannot be read. The record is as it was.
    pub fn refresh(&mut self) -> Result<bool> {
        let part = reader::read_from(&self.path, self.position)
            .map_err(StoreError::io("read", &self.path))?;
        let Some(Part { entries, end, live, damage, .. }) = part else { return Ok(false) };
        let before = (self.record().summary.state.clone(), self.record().damage.clone());
        self.growing.extend(entries, live, damage, self.with_points);
        let grew = end != std::mem::replace(&mut self.position, end);
        let RunRecord { summary, damage, .. } = self.record();
        Ok(grew || before.0 != summary.state || before.1 != *damage)
    }
}
