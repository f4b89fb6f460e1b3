//! Files that nobody refers to.
//!
//! An object is garbage when no journal refers to it, other than by checkpoints that were released
//! since, and it is safe to delete when no run is about to. Why it is, while runs are being written
//! by other processes:
//!
//! 1. A run's objects are put after its journal was created and before the record that refers to
//!    them is in it. Putting makes the object's file young: a new one gets the time at which it was
//!    put, and so does one that was there already.
//! 2. The collection notes the time, then lists the journals. Of each it asks first whether
//!    somebody holds it, then reads it. What it finds in one that nobody holds is all that will
//!    ever be there.
//! 3. It deletes no object that is younger than the start of the oldest journal that somebody
//!    holds: whatever those runs put stays. Nor one that is younger than the time it noted:
//!    whatever runs put that it has not seen in the list stays. Of an object that one of those runs
//!    has released, the release counts for its start: no object is released that was put and is yet
//!    to be recorded. So what a long run keeps no longer is freed while it goes on, unless it was
//!    released within a minute of being put; then it is when the run has ended.
//! 4. It looks at the file's time and deletes the file under the lock of objects, alone; whoever
//!    puts an object holds that lock while it makes the file young. So an object either is young
//!    when it is looked at, or is gone when it is put, and then is written again.
//!
//! Clocks are trusted to a minute: so much older than (3) says an object must be. It is more than
//! file systems round, and covers machines that share a store and do not quite agree.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::deletion::is_in_use;
use super::references::{Released, references, system_time};
use crate::amount::{count, size};
use crate::error::{Result, StoreError};
use crate::fold::Fold;
use crate::journal::reader::{self, Part};
use crate::object_id::ObjectId;
use crate::objects::TEMPORARY;
use crate::run_id::RunId;
use crate::store::Store;

/// How much older an object must be than everything that could need it.
pub(crate) const MARGIN: Duration = Duration::from_secs(60);

/// How old a temporary file must be for its writer to be dead. A living one changes it every
/// moment.
const STALE: Duration = Duration::from_secs(3600);

/// How many files are deleted under one lock. It takes milliseconds, which is how long others wait.
const BATCH: usize = 64;

/// Which files are garbage. Nothing is deleted before [`carry_out`](CollectionPlan::carry_out).
///
/// As text, it is a line for each kind of garbage.
#[derive(Debug, Clone, Serialize)]
pub struct CollectionPlan {
    #[serde(skip)]
    store: Store,
    /// What can go.
    pub garbage: Vec<Garbage>,
    /// How much that is, in bytes.
    pub bytes: u64,
    /// How many objects runs refer to.
    pub needed: usize,
    /// How many objects nobody refers to and are too young to go: a run that is being written may
    /// be about to. Those that it has released are among them within a minute of being put.
    pub young: usize,
    /// The oldest run that is being written. Objects that were put since it started stay.
    pub oldest_in_use: Option<RunId>,
    /// When the journals were listed.
    #[serde(skip)]
    now: SystemTime,
    /// The runs that are being written.
    #[serde(skip)]
    in_use: Vec<InUse>,
}

/// A run that is being written, and may be about to refer to what it has put.
#[derive(Debug, Clone)]
struct InUse {
    started: SystemTime,
    released: Released,
}

/// A file or folder that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// What it is.
    pub kind: GarbageKind,
    /// Where it is.
    pub path: PathBuf,
    /// How much it takes, in bytes.
    pub bytes: u64,
}

/// The kinds of garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GarbageKind {
    /// An object to which no run refers.
    Object,
    /// What a process left that was killed while it wrote an object or pulled a run.
    TemporaryFile,
    /// A damaged index that was set aside.
    DamagedIndex,
}

impl GarbageKind {
    const ALL: [GarbageKind; 3] =
        [GarbageKind::Object, GarbageKind::TemporaryFile, GarbageKind::DamagedIndex];

    pub(crate) fn noun(self) -> &'static str {
        match self {
            GarbageKind::Object => "object",
            GarbageKind::TemporaryFile => "temporary file",
            GarbageKind::DamagedIndex => "damaged index",
        }
    }
}

/// What was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// How many files and folders are gone.
    pub files: usize,
    /// How much they took, in bytes.
    pub bytes: u64,
    /// How many objects stay because they were put again since the plan was made.
    pub renewed: usize,
    /// What could not be deleted, with the reason.
    pub left: Vec<(PathBuf, String)>,
}

impl Store {
    /// Finds the files that nobody refers to. Safe while runs are being written, in this process
    /// and in others.
    ///
    /// # Errors
    /// [`StoreError::UnknownReferences`] if a journal is damaged, because what it referred to
    /// cannot be known; and [`StoreError::Io`].
    pub fn plan_collection(&self) -> Result<CollectionPlan> {
        let now = SystemTime::now();
        let mut needed = HashSet::new();
        let mut oldest_in_use: Option<RunId> = None;
        let mut runs_in_use = Vec::new();
        for id in self.journals().list()? {
            let path = self.journals().path(&id);
            // The order matters: see the module.
            let in_use = is_in_use(&path).map_err(StoreError::io("read", &path))?;
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                // Deleted in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io("read", &path)(error)),
            };
            let released = references(&bytes, &mut needed);
            let Part { entries, damage, .. } = reader::decode(&bytes, in_use);
            let is_whole = match (entries.into_iter().next(), damage) {
                // Its first record is being written; before that, it is not even held.
                (None, _) if bytes.is_empty() => Ok(false),
                (None, None) if in_use => Ok(false),
                (_, Some(damage)) => Err(damage),
                (first, None) => Fold::begin(&id, &path, first, None)
                    .map(|_| true)
                    .map_err(|error| error.to_string()),
            };
            let is_whole =
                is_whole.map_err(|why| StoreError::UnknownReferences { id: id.clone(), why })?;
            if in_use || !is_whole {
                runs_in_use.push(InUse { started: system_time(id.started_at()), released });
                oldest_in_use = oldest_in_use.into_iter().chain([id]).min();
            }
        }
        let mut plan = CollectionPlan {
            store: self.clone(),
            garbage: Vec::new(),
            bytes: 0,
            needed: 0,
            young: 0,
            oldest_in_use,
            now,
            in_use: runs_in_use,
        };
        plan.look_at_objects(&needed)?;
        plan.look_at_store()?;
        plan.garbage.sort_by(|a, b| a.path.cmp(&b.path));
        plan.bytes = plan.garbage.iter().map(|garbage| garbage.bytes).sum();
        Ok(plan)
    }
}

impl CollectionPlan {
    /// This object stays if it was put after that.
    fn before(&self, object: &ObjectId) -> SystemTime {
        let settled = self.in_use.iter().map(|run| {
            run.released.get(object).map_or(run.started, |released| run.started.max(*released))
        });
        settled.fold(self.now, SystemTime::min) - MARGIN
    }

    fn look_at_objects(&mut self, needed: &HashSet<ObjectId>) -> Result<()> {
        let objects = self.store.objects().folder().to_owned();
        for folder in list(&objects)?.into_iter().filter(|path| path.is_dir()) {
            for path in list(&folder)? {
                // Collected by somebody else in the meantime, perhaps.
                let Ok(metadata) = path.symlink_metadata() else { continue };
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let modified = metadata.modified().map_err(StoreError::io("read", &path))?;
                let bytes = metadata.len();
                let kind = match name.parse::<ObjectId>() {
                    Ok(id) if needed.contains(&id) => {
                        self.needed += 1;
                        continue;
                    }
                    Ok(id) if modified >= self.before(&id) => {
                        self.young += 1;
                        continue;
                    }
                    Ok(_) => GarbageKind::Object,
                    Err(_) if name.starts_with(TEMPORARY) && modified < self.now - STALE => {
                        GarbageKind::TemporaryFile
                    }
                    // Whatever else there is was not put there by this crate.
                    Err(_) => continue,
                };
                self.garbage.push(Garbage { kind, path, bytes });
            }
        }
        Ok(())
    }

    /// The store's folder and that of the journals.
    fn look_at_store(&mut self) -> Result<()> {
        let mut paths = list(self.store.path())?;
        paths.extend(list(self.store.journals().folder())?);
        for path in paths {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let modified = metadata.modified().map_err(StoreError::io("read", &path))?;
            let kind = if name.starts_with("index.damaged-") {
                GarbageKind::DamagedIndex
            } else if name.starts_with(TEMPORARY)
                && metadata.is_file()
                && modified < self.now - STALE
            {
                GarbageKind::TemporaryFile
            } else {
                continue;
            };
            let bytes = size_of(&path);
            self.garbage.push(Garbage { kind, path, bytes });
        }
        Ok(())
    }

    /// Deletes the garbage. What was put again since the plan was made stays, however long ago that
    /// is; what cannot be deleted is told, and the rest goes all the same.
    ///
    /// # Errors
    /// [`StoreError::ObjectsLocked`] if somebody held the lock on objects for longer than a second.
    /// What was deleted before is gone.
    pub fn carry_out(&self) -> Result<Collected> {
        let mut collected = Collected { files: 0, bytes: 0, renewed: 0, left: Vec::new() };
        for batch in self.garbage.chunks(BATCH) {
            let _lock = self.store.objects().lock_exclusive()?;
            for Garbage { kind, path, bytes } in batch {
                let removed = match kind {
                    GarbageKind::Object => {
                        let object = object_of(path);
                        let stays = |modified| object.is_none_or(|id| modified >= self.before(&id));
                        match path.symlink_metadata().and_then(|metadata| metadata.modified()) {
                            Ok(modified) if stays(modified) => {
                                collected.renewed += 1;
                                continue;
                            }
                            Ok(_) => std::fs::remove_file(path),
                            Err(error) => Err(error),
                        }
                    }
                    GarbageKind::TemporaryFile => std::fs::remove_file(path),
                    GarbageKind::DamagedIndex if path.is_dir() => std::fs::remove_dir_all(path),
                    GarbageKind::DamagedIndex => std::fs::remove_file(path),
                };
                match removed {
                    Ok(()) => {
                        collected.files += 1;
                        collected.bytes += bytes;
                    }
                    // Somebody else was faster.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => collected.left.push((path.clone(), error.to_string())),
                }
            }
        }
        Ok(collected)
    }
}

/// The object whose file this is.
fn object_of(path: &Path) -> Option<ObjectId> {
    path.file_name()?.to_str()?.parse().ok()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", folder)(error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.map_err(StoreError::io("list", folder))
}

/// In bytes, with everything that is in it; what cannot be read counts nothing.
fn size_of(path: &Path) -> u64 {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {
            list(path).unwrap_or_default().iter().map(|path| size_of(path)).sum()
        }
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

impl fmt::Display for CollectionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in GarbageKind::ALL {
            let of_kind: Vec<_> =
                self.garbage.iter().filter(|garbage| garbage.kind == kind).collect();
            if !of_kind.is_empty() {
                let bytes = of_kind.iter().map(|garbage| garbage.bytes).sum();
                let noun = if kind == GarbageKind::DamagedIndex && of_kind.len() > 1 {
                    format!("{} damaged indexes", of_kind.len())
                } else {
                    count(of_kind.len(), kind.noun())
                };
                writeln!(f, "delete  {noun}, {}", size(bytes))?;
            }
        }
        writeln!(f, "keep    {} that runs refer to", count(self.needed, "object"))?;
        if self.young > 0 {
            write!(f, "keep    {} that no run refers to", count(self.young, "object"))?;
            match &self.oldest_in_use {
                Some(run) => writeln!(f, ", put since run {run} started, which is being written")?,
                None => writeln!(f, ", put a moment ago")?,
            }
        }
        write!(f, "{} would be freed", size(self.bytes))
    }
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deleted {}, {}", count(self.files, "file"), size(self.bytes))?;
        if self.renewed > 0 {
            write!(f, "; kept {} that came into use meanwhile", count(self.renewed, "object"))?;
        }
        for (path, why) in &self.left {
            write!(f, "\nleft {}: {why}", path.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::event::{Entry, RunEvent, RunStart, TimedEvent};
    use crate::journal::writer::{JournalWriter, encode};

    /// The journal of a run that is being written until the file is dropped, and that has kept an
    /// object and released it, so many seconds ago each.
    fn living(
        store: &Store,
        started: i64,
        released: Option<i64>,
        object: ObjectId,
    ) -> std::fs::File {
        let ago = |seconds| Timestamp::now() - SignedDuration::from_secs(seconds);
        let id = RunId::draw(ago(started));
        let path = store.journals().path(&id);
        let open = || std::fs::File::options().append(true).create(true).open(&path).unwrap();
        let file = open();
        file.try_lock().unwrap();
        let start = Entry::Start { id, at: ago(started), start: Box::new(RunStart::default()) };
        let mut journal =
            JournalWriter::create(Box::new(open()), &encode(&start).unwrap()).unwrap();
        if let Some(released) = released {
            let label = || "last".to_owned();
            let (step, epoch, metric) = (1, 1, None);
            let events = [
                RunEvent::Checkpoint { label: label(), step, epoch, object, metric },
                RunEvent::Released { label: label(), object, metric: None },
            ];
            let entries = events.map(|event| {
                encode(&Entry::Event(TimedEvent { at: ago(released), event })).unwrap()
            });
            journal.append(entries.iter().map(Vec::as_slice)).unwrap();
        }
        file
    }

    /// What a run has released goes while it is still being written, if that is safe.
    #[test]
    fn what_living_runs_have_released_goes() {
        const HOUR: i64 = 3600;
        /// Started so long ago, and released the object so long ago, in seconds.
        type Run = (i64, Option<i64>);
        let table: [(&str, i64, &[Run], bool); 10] = [
            ("never released", 1800, &[(HOUR, None)], false),
            ("put and released", 1800, &[(HOUR, Some(1000))], true),
            ("released at once, and the run may go on with it", 1800, &[(HOUR, Some(1780))], false),
            ("put again since", 500, &[(HOUR, Some(1000))], false),
            ("put a moment ago", 30, &[(HOUR, Some(0))], false),
            ("another may have put it", 1800, &[(HOUR, Some(1000)), (HOUR, None)], false),
            ("another began later", 1800, &[(HOUR, Some(1000)), (600, None)], true),
            ("both have released it", 1800, &[(HOUR, Some(1000)), (HOUR, Some(900))], true),
            ("one has too early", 1800, &[(HOUR, Some(1000)), (HOUR, Some(1790))], false),
            ("put before the run", 1800, &[(600, Some(100))], true),
        ];
        for (what, put, runs, goes) in table {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let object = store.put_object(b"weights").unwrap();
            let name = object.to_string();
            let path = store.objects().folder().join(&name[..2]).join(&name);
            let put_ago = |seconds: i64| {
                let then = SystemTime::now() - Duration::from_secs(seconds as u64);
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(then).unwrap();
            };
            put_ago(put);
            let living: Vec<_> = runs
                .iter()
                .map(|(started, released)| living(&store, *started, *released, object))
                .collect();
            let plan = store.plan_collection().unwrap();
            assert!(plan.oldest_in_use.is_some() && plan.needed == 0, "{what}");
            assert_eq!((plan.garbage.len(), plan.young), (goes.into(), (!goes).into()), "{what}");
            if goes {
                // Put again, it stays; and goes as planned, if nobody does.
                put_ago(0);
                assert_eq!(plan.carry_out().unwrap().renewed, 1, "{what}");
                put_ago(put);
                assert_eq!(plan.carry_out().unwrap().files, 1, "{what}");
                assert!(!path.exists(), "{what}");
            } else if put > 60 {
                // With the runs, the doubt ends.
                drop(living);
                assert_eq!(
                    store.plan_collection().unwrap().carry_out().unwrap().files,
                    1,
                    "{what}"
                );
            }
        }
    }
}
