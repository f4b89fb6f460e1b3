//! The store: a folder of runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::error::{Result, StoreError};
use crate::event::{Entry, RunStart};
use crate::index::{self, Index, IndexError};
use crate::journal::FormatVersion;
use crate::journal::writer::{JournalWriter, encode};
use crate::nearest::nearest;
use crate::objects::{ObjectId, Objects, sync_folder, write_atomically};
use crate::query;
use crate::record::{self, RunRecord};
use crate::recorder::RunWriter;
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// How long a query waits for another process that holds the index.
const PATIENCE: Duration = Duration::from_secs(1);

/// A folder of runs. Cheap to clone; any number of stores, processes and threads may use one folder at once.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    objects: Objects,
    index: Index,
}

impl Store {
    /// Opens the store at `path` for reading and writing, and makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::NotAFolder`] and [`StoreError::NotWritable`] before anything is recorded, and
    /// [`StoreError::NewerFormat`] for a store that a later version wrote.
    pub fn open(path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        if path.is_file() {
            return Err(StoreError::NotAFolder { path: path.to_owned() });
        }
        let not_writable = |source| StoreError::NotWritable { path: path.to_owned(), source };
        for folder in [path.join("runs"), path.join("objects")] {
            std::fs::create_dir_all(&folder).map_err(not_writable)?;
            // Only an attempt tells: permission bits say nothing about a read-only file system.
            tempfile::tempfile_in(&folder).map_err(not_writable)?;
        }
        let format = path.join("format");
        if !format.exists() {
            // Two processes that do this at once write the same.
            write_atomically(&format, format!("{}\n", FormatVersion::NEWEST.0).as_bytes())?;
        }
        Store::open_existing(path)
    }

    /// Opens the store at `path`, which must exist. Nothing is created, and reading works without the right to write.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::NotAFolder`], [`StoreError::NewerFormat`].
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        if path.is_file() {
            return Err(StoreError::NotAFolder { path: path.to_owned() });
        }
        let format = path.join("format");
        let text = match std::fs::read(&format) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(StoreError::io("read", &format)(error)),
        };
        let known = FormatVersion::NEWEST.0;
        match text.trim().parse() {
            Ok(found) if found > known => Err(StoreError::NewerFormat { path: path.to_owned(), found, known }),
            Ok(_) => Ok(Store {
                inner: Arc::new(Inner {
                    path: path.to_owned(),
                    objects: Objects::new(path.join("objects")),
                    index: Index::new(path),
                }),
            }),
            Err(_) => {
                let found = text.chars().take(20).collect();
                Err(StoreError::DamagedFormat { path: path.to_owned(), found, known })
            }
        }
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Starts a run. On return its start record is on disk.
    pub fn start_run(&self, start: RunStart) -> Result<RunWriter> {
        let runs = self.runs_folder();
        let at = Timestamp::now();
        let (id, path, file) = loop {
            let id = RunId::draw(at);
            let path = journal_path(&runs, &id);
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (id, path, file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StoreError::io("create", &path)(error)),
            }
        };
        let started = self.write_start(&id, &path, file, at, start);
        if started.is_err() {
            // A run that never began must not be listed. If this fails too, it is listed as damaged.
            let _ = std::fs::remove_file(&path);
        }
        started
    }

    fn write_start(
        &self,
        id: &RunId,
        path: &Path,
        file: File,
        at: Timestamp,
        mut start: RunStart,
    ) -> Result<RunWriter> {
        lock(&file).map_err(StoreError::io("lock", path))?;
        // Not before the journal is there and locked: that keeps the collection of garbage from taking them.
        start.environment.store_attachments(&self.inner.objects);
        let entry = Entry::Start { id: id.clone(), at, start: Box::new(start) };
        let payload = encode(&entry).map_err(|why| StoreError::Encode { why })?;
        let journal = JournalWriter::create(Box::new(file), &payload).map_err(StoreError::io("write", path))?;
        sync_folder(&self.runs_folder())?;
        RunWriter::start(id.clone(), self.clone(), journal).map_err(StoreError::io("start a thread to write", path))
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunSummary>> {
        let journals = self.journals()?;
        let summaries = self.inner.index.summaries(&journals, PATIENCE);
        // The index may be held, broken or not allowed: the journals know it all.
        let mut summaries = summaries.unwrap_or_else(|_| index::summaries_without(&journals));
        // Ids tell seconds apart; several runs may start in one.
        summaries.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| b.id.cmp(&a.id)));
        Ok(summaries)
    }

    /// The run with this id, or the only one whose id begins so, always from its journal.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`] with the nearest id, [`StoreError::AmbiguousRun`] with the candidates, and
    /// [`StoreError::UnreadableRun`] when not even the start of its journal can be read.
    pub fn run(&self, id_or_unique_prefix: &str) -> Result<RunRecord> {
        let wanted = id_or_unique_prefix.trim();
        let journals = self.journals()?;
        let fits: Vec<_> = journals.iter().filter(|(id, _)| id.as_str().starts_with(wanted)).collect();
        match fits.as_slice() {
            [(id, path)] => match record::load(id, path)? {
                Some(loaded) => Ok(loaded.record),
                None => {
                    Err(StoreError::UnreadableRun { path: path.clone(), why: "the run is just starting".to_owned() })
                }
            },
            [] => {
                let near = nearest(wanted, journals.iter().map(|(id, _)| id.as_str()));
                let nearest = near.and_then(|near| near.parse().ok());
                Err(StoreError::UnknownRun { id: wanted.to_owned(), nearest })
            }
            fits => {
                let mut candidates: Vec<RunId> = fits.iter().map(|(id, _)| id.clone()).collect();
                candidates.sort();
                Err(StoreError::AmbiguousRun { prefix: wanted.to_owned(), candidates })
            }
        }
    }

    /// The runs that fit, in the order that the query asks for, else newest first. The language is described in
    /// [`query`](crate::query).
    ///
    /// # Errors
    /// [`StoreError::Query`] with the place that is wrong. A name that no run has is an error, never an empty list.
    pub fn query(&self, text: &str) -> Result<Vec<RunSummary>> {
        // A mistake in the text shows before anything is read.
        let query = query::parse(text)?;
        let runs = self.runs()?.into_iter().map(Arc::new).collect();
        Ok(query::select(text, &query, runs)?.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    /// Stores bytes under their hash. On return they are on disk. Bytes that are there already are not written again.
    pub fn put_object(&self, bytes: &[u8]) -> Result<ObjectId> {
        self.inner.objects.put(bytes)
    }

    /// Reads an object and checks that it is what was stored.
    pub fn get_object(&self, id: &ObjectId) -> Result<Vec<u8>> {
        self.inner.objects.get(id)
    }

    /// Throws the index away and builds it from the journals. Returns how many runs there are.
    pub fn rebuild_index(&self) -> Result<usize> {
        self.inner.index.rebuild(&self.journals()?, PATIENCE).map_err(|error| {
            let (IndexError::Unavailable(why) | IndexError::Damaged(why)) = error;
            StoreError::Io {
                action: "rebuild the index of",
                path: self.inner.path.clone(),
                source: io::Error::other(why),
            }
        })
    }

    /// Brings the index up to date if nobody else holds it.
    pub(crate) fn refresh_index(&self) {
        if let Ok(journals) = self.journals() {
            // Whoever asks next would do the same.
            let _ = self.inner.index.summaries(&journals, Duration::ZERO);
        }
    }

    /// Every journal, newest first.
    fn journals(&self) -> Result<Vec<(RunId, PathBuf)>> {
        let folder = self.runs_folder();
        let mut journals = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(StoreError::io("list", &folder))? {
            let path = entry.map_err(StoreError::io("list", &folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            // Anything that is no run's name was not put there by this crate.
            if let Some(Ok(id)) = name.and_then(|name| name.strip_suffix(".log")).map(str::parse::<RunId>) {
                journals.push((id, path));
            }
        }
        journals.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(journals)
    }

    fn runs_folder(&self) -> PathBuf {
        self.inner.path.join("runs")
    }
}

fn journal_path(runs: &Path, id: &RunId) -> PathBuf {
    runs.join(format!("{id}.log"))
}

/// Locks a journal that was just created. A reader that looks whether it is locked holds it for an instant.
fn lock(file: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1))
            }
            Err(error) => return Err(error.into()),
        }
    }
}
