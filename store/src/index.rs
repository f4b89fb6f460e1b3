//! The index: summaries of settled runs in sled, so that a list need not read every journal.
//!
//! Nothing is in the index that the journals do not say; it may be deleted at any time. It is open only as long as one
//! operation takes, under a lock file of our own: sled allows one process at a time, and one that finds sled damaged must be
//! alone when it sets the folder aside. Whoever cannot have it within a second reads the journals instead.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{self, Loaded};
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// The version of what the values hold. Values of any other version are damage, and damage is rebuilt.
const VERSION: u32 = 1;

/// How much of the index may be in memory, in bytes.
const CACHE: u64 = 64 << 20;

/// Why the index could not answer.
#[derive(Debug)]
pub(crate) enum IndexError {
    /// Another process holds it, or the file system refuses.
    Unavailable(String),
    /// It holds something that was not written by this crate, or sled fails on it.
    Damaged(String),
}

/// The place of the index.
#[derive(Debug)]
pub(crate) struct Index {
    folder: PathBuf,
    lock_file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Cached {
    version: u32,
    /// Length of the journal that the summary is of, in bytes.
    journal: u64,
    summary: RunSummary,
}

impl Index {
    pub(crate) fn new(store: &Path) -> Index {
        Index { folder: store.join("index"), lock_file: store.join("index.lock") }
    }

    /// The summaries of these journals, after bringing the index up to date with them. Waits no longer than `patience` for
    /// another process. A damaged index is renamed to `index.damaged-<time>` and built anew.
    pub(crate) fn summaries(
        &self,
        journals: &[(RunId, PathBuf)],
        patience: Duration,
    ) -> Result<Vec<RunSummary>, IndexError> {
        let _lock = self.lock(patience)?;
        match self.update(journals, patience) {
            Err(IndexError::Damaged(_)) => {
                let name = format!("index.damaged-{}", Timestamp::now().strftime("%Y%m%d-%H%M%S%.6f"));
                std::fs::rename(&self.folder, self.folder.with_file_name(name)).map_err(unavailable)?;
                self.update(journals, patience)
            }
            answer => answer,
        }
    }

    /// Throws the index away and builds it anew.
    pub(crate) fn rebuild(&self, journals: &[(RunId, PathBuf)], patience: Duration) -> Result<usize, IndexError> {
        let _lock = self.lock(patience)?;
        let removed = if self.folder.is_file() {
            std::fs::remove_file(&self.folder)
        } else {
            std::fs::remove_dir_all(&self.folder)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => self.update(journals, patience).map(|summaries| summaries.len()),
        }
    }

    fn lock(&self, patience: Duration) -> Result<File, IndexError> {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock_file).map_err(unavailable)?;
        retry(patience, || {
            file.try_lock().map_err(|error| IndexError::Unavailable(format!("another process holds it: {error}")))
        })?;
        Ok(file)
    }

    fn update(&self, journals: &[(RunId, PathBuf)], patience: Duration) -> Result<Vec<RunSummary>, IndexError> {
        // sled panics on some kinds of damage. Nothing that was in use during the panic is looked at afterwards.
        catch_unwind(AssertUnwindSafe(|| {
            let config = sled::Config::new().path(&self.folder).cache_capacity(CACHE).flush_every_ms(None);
            // After sled was closed, its threads may hold its own lock for a moment longer.
            let db = retry(patience, || config.open().map_err(IndexError::from))?;
            update(&db, journals)
        }))
        .unwrap_or_else(|_| Err(IndexError::Damaged("sled panicked".to_owned())))
    }
}

fn update(db: &sled::Db, journals: &[(RunId, PathBuf)]) -> Result<Vec<RunSummary>, IndexError> {
    let mut summaries = Vec::with_capacity(journals.len());
    let mut changed = false;
    for (id, path) in journals {
        if let (Some(value), Ok(file)) = (db.get(id.as_str())?, path.metadata()) {
            let cached = decode(&value)?;
            if cached.journal == file.len() {
                summaries.push(cached.summary);
                continue;
            }
        }
        let Some((summary, settled_length)) = summary(id, path) else { continue };
        if let Some(journal) = settled_length {
            db.insert(id.as_str(), encode(&Cached { version: VERSION, journal, summary: summary.clone() })?)?;
            changed = true;
        }
        summaries.push(summary);
    }
    let known: BTreeSet<&[u8]> = journals.iter().map(|(id, _)| id.as_str().as_bytes()).collect();
    for key in db.iter().keys() {
        let key = key?;
        if !known.contains(&*key) {
            db.remove(key)?;
            changed = true;
        }
    }
    if changed {
        db.flush()?;
    }
    Ok(summaries)
}

/// The summaries of these journals without the index.
pub(crate) fn summaries_without(journals: &[(RunId, PathBuf)]) -> Vec<RunSummary> {
    journals.iter().filter_map(|(id, path)| Some(summary(id, path)?.0)).collect()
}

/// The summary from the journal, and the length for which it holds. One run's trouble is shown on that run alone.
fn summary(id: &RunId, path: &Path) -> Option<(RunSummary, Option<u64>)> {
    match record::load(id, path) {
        Ok(Some(Loaded { record, settled_length })) => Some((record.summary, settled_length)),
        Ok(None) => None,
        Err(_) if !path.exists() => None,
        Err(error) => Some((record::unreadable(id, error.to_string()), None)),
    }
}

/// sled checks its pages; the checksum here also catches a value that sled puts together wrongly.
fn encode(cached: &Cached) -> Result<Vec<u8>, IndexError> {
    let payload = rmp_serde::to_vec_named(cached).map_err(|error| IndexError::Unavailable(error.to_string()))?;
    let mut value = crc32c::crc32c(&payload).to_le_bytes().to_vec();
    value.extend(payload);
    Ok(value)
}

fn decode(value: &[u8]) -> Result<Cached, IndexError> {
    let damaged = |why: &str| IndexError::Damaged(why.to_owned());
    let (check, payload) = value.split_first_chunk::<4>().ok_or_else(|| damaged("a value is too short"))?;
    if crc32c::crc32c(payload) != u32::from_le_bytes(*check) {
        return Err(damaged("a value has a wrong checksum"));
    }
    let cached: Cached = rmp_serde::from_slice(payload).map_err(|error| IndexError::Damaged(error.to_string()))?;
    if cached.version == VERSION { Ok(cached) } else { Err(damaged("a value has another version")) }
}

/// Repeats what fails with [`IndexError::Unavailable`] until it works or `patience` is over.
fn retry<T>(patience: Duration, mut attempt: impl FnMut() -> Result<T, IndexError>) -> Result<T, IndexError> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(IndexError::Unavailable(_)) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            answer => return answer,
        }
    }
}

fn unavailable(error: io::Error) -> IndexError {
    IndexError::Unavailable(error.to_string())
}

impl From<sled::Error> for IndexError {
    fn from(error: sled::Error) -> IndexError {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull, WouldBlock};
        match &error {
            sled::Error::Io(io)
                if matches!(io.kind(), PermissionDenied | ReadOnlyFilesystem | StorageFull | WouldBlock) =>
            {
                IndexError::Unavailable(error.to_string())
            }
            // sled wraps the answer of the lock into an error of kind "other".
            sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => {
                IndexError::Unavailable(error.to_string())
            }
            _ => IndexError::Damaged(error.to_string()),
        }
    }
}
