//! Deleting runs.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use crate::amount::{count, size};
use crate::error::{Result, StoreError};
use crate::journal::reader;
use crate::objects::sync_folder;
use crate::record;
use crate::run_id::RunId;
use crate::store::Store;
use crate::summary::RunSummary;
use crate::text::short;

/// Which runs are to be deleted, and why. Nothing is deleted before
/// [`carry_out`](DeletionPlan::carry_out).
///
/// As text, it is a table of the runs that were looked at.
#[derive(Debug, Clone, Serialize)]
pub struct DeletionPlan {
    #[serde(skip)]
    pub(super) store: Store,
    /// Every run that was looked at, newest first.
    pub runs: Vec<PlannedRun>,
    /// The size of the journals that go, in bytes. What their objects take is freed by the
    /// collection of garbage.
    pub bytes: u64,
}

/// What is to become of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRun {
    /// The run.
    pub run: RunSummary,
    /// The size of its journal, in bytes.
    pub bytes: u64,
    /// Whether it goes.
    pub goes: bool,
    /// Why it goes or stays.
    pub why: String,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deleted {
    /// The runs that are gone.
    pub runs: Vec<RunId>,
    /// The size of their journals, in bytes.
    pub bytes: u64,
    /// The runs that should have gone and are still there, with the reason.
    pub left: Vec<(RunId, String)>,
}

impl Store {
    /// Plans to delete these runs, given by their ids or beginnings of them that no other run has.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`], [`StoreError::AmbiguousRun`], and [`StoreError::RunInUse`] for a
    /// run that is being written: also one that has ended, as long as a process keeps its writer.
    pub fn plan_deletion<S: AsRef<str>>(&self, runs: &[S]) -> Result<DeletionPlan> {
        let mut ids = Vec::with_capacity(runs.len());
        for run in runs {
            ids.push(self.find(run.as_ref())?);
        }
        ids.sort_by(|a, b| b.cmp(a));
        ids.dedup();
        let mut planned = Vec::with_capacity(ids.len());
        for id in ids {
            let path = self.journals().path(&id);
            if is_in_use(&path).map_err(StoreError::io("read", &path))? {
                let record = record::load(&id, &path).ok().flatten();
                let process = record
                    .map(|record| record.environment.process_id)
                    .filter(|process| *process != 0);
                return Err(StoreError::RunInUse { id, process });
            }
            let run = match self.summary(id.as_str()) {
                Ok(run) => run,
                Err(_) => record::unreadable(&id, "it never began".to_owned()),
            };
            planned.push(PlannedRun {
                run,
                bytes: length(&path)?,
                goes: true,
                why: "it was named".to_owned(),
            });
        }
        Ok(DeletionPlan::new(self, planned))
    }
}

impl DeletionPlan {
    pub(super) fn new(store: &Store, runs: Vec<PlannedRun>) -> DeletionPlan {
        let bytes = runs.iter().filter(|run| run.goes).map(|run| run.bytes).sum();
        DeletionPlan { store: store.clone(), runs, bytes }
    }

    /// The runs that go, newest first.
    pub fn going(&self) -> impl Iterator<Item = &PlannedRun> {
        self.runs.iter().filter(|run| run.goes)
    }

    /// Deletes the journals of the runs that go. One that cannot be deleted, for example because
    /// somebody began to write it, is left and told, and the others are deleted all the same.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folder of journals cannot be synced; the runs may come back after
    /// a power cut then.
    pub fn carry_out(&self) -> Result<Deleted> {
        let journals = self.store.journals();
        let mut deleted = Deleted { runs: Vec::new(), bytes: 0, left: Vec::new() };
        for PlannedRun { run, bytes, .. } in self.going() {
            match delete(&journals.path(&run.id)) {
                Ok(()) => {
                    // Asked of a run that was killed. A file that stays does no harm.
                    let _ = std::fs::remove_file(journals.stop(&run.id));
                    deleted.runs.push(run.id.clone());
                    deleted.bytes += bytes;
                }
                Err(why) => deleted.left.push((run.id.clone(), why)),
            }
        }
        sync_folder(journals.folder())?;
        Ok(deleted)
    }
}

/// Whether somebody writes the journal, or at least could.
pub(super) fn is_in_use(path: &Path) -> std::io::Result<bool> {
    match File::open(path) {
        Ok(file) => reader::is_locked(&file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The size of a journal, in bytes; 0 if it is gone.
pub(super) fn length(path: &Path) -> Result<u64> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

/// Removes a journal that nobody writes. One that is gone already is as good as removed.
fn delete(path: &Path) -> Result<(), String> {
    let gone = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error.to_string()),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return gone(error),
    };
    // Held until it is removed. Shared, as readers hold it, so that no reader takes the run for a
    // living one meanwhile.
    match file.try_lock_shared() {
        Ok(()) => std::fs::remove_file(path).or_else(gone),
        Err(TryLockError::WouldBlock) => Err("it is being written".to_owned()),
        Err(TryLockError::Error(error)) => Err(error.to_string()),
    }
}

impl fmt::Display for DeletionPlan {
    /// A line for each run, then the sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> =
            self.runs.iter().map(|run| shown(run.run.name.as_deref(), &run.run.model)).collect();
        let sizes: Vec<String> = self.runs.iter().map(|run| size(run.bytes)).collect();
        let width = |texts: &[String]| {
            texts.iter().map(|text| text.chars().count()).max().unwrap_or_default()
        };
        let (name_width, size_width) = (width(&names), width(&sizes));
        for (run, (name, size)) in self.runs.iter().zip(names.iter().zip(&sizes)) {
            let what = if run.goes { "delete" } else { "keep  " };
            let PlannedRun { run, why, .. } = run;
            let started = run.started_at.strftime("%Y-%m-%d %H:%M");
            writeln!(
                f,
                "{what}  {}  {:<8}  {started}  {name:<name_width$}  {size:>size_width$}  {why}",
                run.id,
                run.state.name()
            )?;
        }
        let going = self.going().count();
        write!(
            f,
            "{} of {} would be deleted, {}",
            going,
            count(self.runs.len(), "run"),
            size(self.bytes)
        )
    }
}

/// A name or a model that fits into a column.
fn shown(name: Option<&str>, model: &str) -> String {
    short(name.unwrap_or(model), 32)
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deleted {}, {}", count(self.runs.len(), "run"), size(self.bytes))?;
        for (run, why) in &self.left {
            write!(f, "\nleft {run}: {why}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot be looked at is not taken for gone.
    #[test]
    fn only_what_is_gone_is_taken_for_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!((is_in_use(&file).unwrap(), length(&file).unwrap()), (false, 5));
        // A file has nothing in it that could be gone.
        let inside = file.join("inside");
        assert!(is_in_use(&inside).is_err());
        assert!(matches!(length(&inside), Err(StoreError::Io { action: "read", .. })));
        assert!(delete(&inside).is_err());
        delete(&file).unwrap();
        assert_eq!((is_in_use(&file).unwrap(), length(&file).unwrap()), (false, 0));
        delete(&file).unwrap();
    }
}
