//! The index: what the journals say, in sled, so that a list need not read every journal and a
//! curve not a whole one.
//!
//! ```text
//! r/<run>                     summary of a settled run, and the length of the journal that it is of
//! s/<run>                     of a long journal: how far it is sealed, and what the records up to there add up to
//! b/<run>/<metric>/<number>   a sealed block of points
//! ```
//!
//! Nothing is in the index that the journals do not say; it may be deleted at any time. It is open
//! only as long as one operation takes, under a lock file of our own: sled allows one process at a
//! time, and one that finds sled damaged must be alone when it sets the folder aside. Whoever
//! cannot have it within a second reads the journals instead.

pub(crate) mod block;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::block::Block;
use crate::fold::Fold;
use crate::journal::reader::Position;
use crate::lock::LockFile;
use crate::name::Name;
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// The version of what the values hold. Values of any other version are damage, and damage is
/// rebuilt.
const VERSION: u8 = 3;

/// How much of the index may be in memory, in bytes.
const CACHE: u64 = 64 << 20;

/// Why the index could not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexProblem {
    /// Another process holds it, or the file system refuses.
    Unavailable(String),
    /// It holds something that was not written by this crate, or sled fails on it.
    Damaged(String),
}

impl fmt::Display for IndexProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (IndexProblem::Unavailable(why) | IndexProblem::Damaged(why)) = self;
        f.write_str(why)
    }
}

/// The place of the index.
#[derive(Debug)]
pub(crate) struct Index {
    folder: PathBuf,
    lock_file: PathBuf,
}

/// The summary of a run that nobody writes to any more.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// Length of the journal that the summary is of, in bytes.
    pub(crate) journal: u64,
    pub(crate) summary: RunSummary,
}

/// How many sealed blocks each metric of a run has.
pub(crate) type Blocks = BTreeMap<Name, u32>;

/// How far a journal is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) position: Position,
    /// Of the records up to there.
    pub(crate) fold: Fold,
    pub(crate) blocks: Blocks,
}

impl Index {
    pub(crate) fn new(store: &Path) -> Index {
        Index { folder: store.join("index"), lock_file: store.join("index.lock") }
    }

    /// Does something with the open index. Waits no longer than `patience` for another process. A
    /// damaged index is renamed to `index.damaged-<time>`, and the same is done once more with an
    /// empty one.
    pub(crate) fn with<T>(
        &self,
        patience: Duration,
        mut work: impl FnMut(&Session) -> Result<T, IndexProblem>,
    ) -> Result<T, IndexProblem> {
        let _lock = self.lock(patience)?;
        match self.session(patience, &mut work) {
            Err(IndexProblem::Damaged(_)) => {
                let name =
                    format!("index.damaged-{}", Timestamp::now().strftime("%Y%m%d-%H%M%S%.6f"));
                std::fs::rename(&self.folder, self.folder.with_file_name(name))
                    .map_err(unavailable)?;
                self.session(patience, &mut work)
            }
            answer => answer,
        }
    }

    /// Throws the index away and does something with the empty one.
    pub(crate) fn anew<T>(
        &self,
        patience: Duration,
        mut work: impl FnMut(&Session) -> Result<T, IndexProblem>,
    ) -> Result<T, IndexProblem> {
        let _lock = self.lock(patience)?;
        let removed = if self.folder.is_file() {
            std::fs::remove_file(&self.folder)
        } else {
            std::fs::remove_dir_all(&self.folder)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => self.session(patience, &mut work),
        }
    }

    fn lock(&self, patience: Duration) -> Result<LockFile, IndexProblem> {
        LockFile::exclusive(&self.lock_file, patience)
            .map_err(|error| IndexProblem::Unavailable(error.to_string()))
    }

    fn session<T>(
        &self,
        patience: Duration,
        work: &mut impl FnMut(&Session) -> Result<T, IndexProblem>,
    ) -> Result<T, IndexProblem> {
        // sled panics on some kinds of damage. Nothing that was in use during the panic is looked
        // at afterwards.
        catch_unwind(AssertUnwindSafe(|| {
            let config =
                sled::Config::new().path(&self.folder).cache_capacity(CACHE).flush_every_ms(None);
            // After sled was closed, its threads may hold its own lock for a moment longer.
            let db = retry(patience, || config.open().map_err(IndexProblem::from))?;
            work(&Session { db })
        }))
        .unwrap_or_else(|_| Err(IndexProblem::Damaged("sled panicked".to_owned())))
    }
}

/// The open index.
pub(crate) struct Session {
    db: sled::Db,
}

impl Session {
    /// The summaries of all settled runs.
    pub(crate) fn all_settled(&self) -> Result<HashMap<RunId, Settled>, IndexProblem> {
        let values = self.db.scan_prefix("r/").values().collect::<Result<Vec<_>, _>>()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = values.len().div_ceil(threads).max(1);
        // Reading the values takes most of the time.
        std::thread::scope(|scope| {
            let decode_all = |values: &[sled::IVec]| {
                let settled = values.iter().map(|value| decode(value));
                settled.collect::<Result<Vec<Settled>, IndexProblem>>()
            };
            let threads: Vec<_> = values
                .chunks(share)
                .map(|values| scope.spawn(move || decode_all(values)))
                .collect();
            let mut all = HashMap::with_capacity(values.len());
            for thread in threads {
                let decoded = thread
                    .join()
                    .unwrap_or_else(|_| Err(IndexProblem::Damaged("a value".to_owned())))?;
                all.extend(
                    decoded.into_iter().map(|settled| (settled.summary.id.clone(), settled)),
                );
            }
            Ok(all)
        })
    }

    /// The summary of a run, if it is settled.
    pub(crate) fn settled(&self, run: &RunId) -> Result<Option<Settled>, IndexProblem> {
        self.db.get(format!("r/{run}"))?.map(|value| decode(&value)).transpose()
    }

    /// Keeps the summary of a settled run.
    pub(crate) fn put_settled(&self, settled: &Settled) -> Result<(), IndexProblem> {
        self.db.insert(format!("r/{}", settled.summary.id), encode(settled)?)?;
        Ok(())
    }

    /// How far the run's journal is sealed.
    pub(crate) fn sealed(&self, run: &RunId) -> Result<Option<Sealed>, IndexProblem> {
        self.db.get(format!("s/{run}"))?.map(|value| decode(&value)).transpose()
    }

    /// Adds blocks behind those that there are, and how far the journal is sealed now: all or
    /// nothing.
    pub(crate) fn seal(
        &self,
        run: &RunId,
        sealed: &Sealed,
        blocks: &[(Name, u32, Block)],
    ) -> Result<(), IndexProblem> {
        let mut batch = sled::Batch::default();
        for (metric, number, block) in blocks {
            batch.insert(block_key(run, metric, *number), encode(block)?);
        }
        batch.insert(format!("s/{run}").as_bytes(), encode(sealed)?);
        self.db.apply_batch(batch)?;
        Ok(())
    }

    /// Unpacks the first `count` blocks of a metric.
    pub(crate) fn points(
        &self,
        run: &RunId,
        metric: &str,
        count: u32,
    ) -> Result<Vec<(u64, f64)>, IndexProblem> {
        let mut points = Vec::new();
        for number in 0..count {
            let value = self.db.get(block_key(run, metric, number))?;
            let value = value.ok_or_else(|| {
                IndexProblem::Damaged(format!("block {number} of {metric} is missing"))
            })?;
            decode::<Block>(&value)?.unseal(&mut points).map_err(IndexProblem::Damaged)?;
        }
        Ok(points)
    }

    /// Drops what is known of a run.
    pub(crate) fn forget(&self, run: &str) -> Result<(), IndexProblem> {
        let mut batch = sled::Batch::default();
        for key in self.db.scan_prefix(format!("b/{run}/")).keys() {
            batch.remove(key?);
        }
        batch.remove(format!("s/{run}").as_bytes());
        batch.remove(format!("r/{run}").as_bytes());
        self.db.apply_batch(batch)?;
        Ok(())
    }

    /// Drops every run but these. Returns whether there was one.
    pub(crate) fn keep_only(&self, runs: &HashSet<&str>) -> Result<bool, IndexProblem> {
        let mut gone = HashSet::new();
        for prefix in ["r/", "s/"] {
            for key in self.db.scan_prefix(prefix).keys() {
                let key = key?;
                let run = std::str::from_utf8(&key[2..])
                    .map_err(|error| IndexProblem::Damaged(error.to_string()))?;
                if !runs.contains(run) {
                    gone.insert(run.to_owned());
                }
            }
        }
        for run in &gone {
            self.forget(run)?;
        }
        Ok(!gone.is_empty())
    }

    /// Returns once everything is on disk.
    pub(crate) fn flush(&self) -> Result<(), IndexProblem> {
        self.db.flush()?;
        Ok(())
    }
}

fn block_key(run: &RunId, metric: &str, number: u32) -> Vec<u8> {
    [format!("b/{run}/{metric}/").as_bytes(), &number.to_be_bytes()].concat()
}

/// sled checks its pages; the checksum here also catches a value that sled puts together wrongly.
fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, IndexProblem> {
    let unencodable =
        |error: rmp_serde::encode::Error| IndexProblem::Unavailable(error.to_string());
    let mut bytes = vec![0; 4];
    bytes.push(VERSION);
    // Without names: the version says what the values are, and there may be ten thousand of them to
    // read.
    value.serialize(&mut rmp_serde::Serializer::new(&mut bytes)).map_err(unencodable)?;
    let check = crc32c::crc32c(&bytes[4..]).to_le_bytes();
    bytes[..4].copy_from_slice(&check);
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexProblem> {
    let damaged = |why: &str| IndexProblem::Damaged(why.to_owned());
    let (check, rest) =
        bytes.split_first_chunk::<4>().ok_or_else(|| damaged("a value is too short"))?;
    if crc32c::crc32c(rest) != u32::from_le_bytes(*check) {
        return Err(damaged("a value has a wrong checksum"));
    }
    match rest.split_first() {
        Some((&VERSION, payload)) => {
            rmp_serde::from_slice(payload).map_err(|error| IndexProblem::Damaged(error.to_string()))
        }
        _ => Err(damaged("a value has another version")),
    }
}

/// Repeats what fails with [`IndexProblem::Unavailable`] until it works or `patience` is over.
fn retry<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<T, IndexProblem>,
) -> Result<T, IndexProblem> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(IndexProblem::Unavailable(_)) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            answer => return answer,
        }
    }
}

fn unavailable(error: io::Error) -> IndexProblem {
    IndexProblem::Unavailable(error.to_string())
}

impl From<sled::Error> for IndexProblem {
    fn from(error: sled::Error) -> IndexProblem {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull, WouldBlock};
        match &error {
            sled::Error::Io(io)
                if matches!(
                    io.kind(),
                    PermissionDenied | ReadOnlyFilesystem | StorageFull | WouldBlock
                ) =>
            {
                IndexProblem::Unavailable(error.to_string())
            }
            // sled wraps the answer of the lock into an error of kind "other".
            sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => {
                IndexProblem::Unavailable(error.to_string())
            }
            _ => IndexProblem::Damaged(error.to_string()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
