//! The store: a folder of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use crate::error::{Result, StoreError};
use crate::history::History;
use crate::index::{Index, IndexProblem};
use crate::journal::FormatVersion;
use crate::journals::Journals;
use crate::known::{self, Known, Summaries};
use crate::name::Name;
use crate::nearest::nearest;
use crate::object_id::ObjectId;
use crate::objects::{Objects, write_atomically};
use crate::open_end::{OpenEnd, UNSEALED};
use crate::query::{self, Answer, Histories, Query};
use crate::record::{self, RunRecord};
use crate::run_id::RunId;
use crate::summary::RunSummary;
use crate::tail::Tail;

/// How long a query waits for another process that holds the index.
const PATIENCE: Duration = Duration::from_secs(1);

/// A folder of runs. Cheap to clone; any number of stores, processes and threads may use one folder
/// at once.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    objects: Objects,
    journals: Journals,
    index: Index,
    known: Known,
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

    /// Opens the store at `path`, which must exist. Nothing is created, and reading works without
    /// the right to write.
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
            Ok(found) if found > known => {
                Err(StoreError::NewerFormat { path: path.to_owned(), found, known })
            }
            Ok(_) => Ok(Store {
                inner: Arc::new(Inner {
                    path: path.to_owned(),
                    objects: Objects::new(path),
                    journals: Journals::new(path.join("runs")),
                    index: Index::new(path),
                    known: Known::default(),
                }),
            }),
            Err(_) => {
                let found = text.chars().take(20).collect();
                Err(StoreError::DamagedFormat { path: path.to_owned(), found, known })
            }
        }
    }

    /// Says that the store has journals of the newest format, so that an older trainbook refuses it
    /// as a whole and not run by run.
    pub(crate) fn raise_format(&self) -> Result<()> {
        let (path, newest) = (self.path().join("format"), FormatVersion::NEWEST.0);
        let text = std::fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
        match text.trim().parse::<u32>() {
            Ok(found) if found < newest => {
                write_atomically(&path, format!("{newest}\n").as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunSummary>> {
        Ok(self.summaries()?.iter().map(|run| RunSummary::clone(run)).collect())
    }

    fn summaries(&self) -> Result<Summaries> {
        let Inner { known, journals, index, .. } = &*self.inner;
        Ok(known.summaries(journals.list()?, journals, index, PATIENCE))
    }

    /// The summary of the run with this id, or of the only one whose id begins so. Unlike
    /// [`run`](Store::run), it reads no journal that the index knows.
    ///
    /// # Errors
    /// As [`run`](Store::run), but for an unreadable journal, of which the summary tells.
    pub fn summary(&self, id_or_unique_prefix: &str) -> Result<RunSummary> {
        let id = self.find(id_or_unique_prefix)?;
        let Inner { known, journals, index, .. } = &*self.inner;
        let summary = known
            .summary(&id, journals, index, PATIENCE)
            .ok_or_else(|| just_starting(&journals.path(&id)))?;
        Ok(Arc::unwrap_or_clone(summary))
    }

    /// Why the index could not be used the last time that it was needed, for example because
    /// another process holds it; then the journals were read instead, which gives the same answer
    /// later. `None` when it could be used.
    pub fn index_problem(&self) -> Option<IndexProblem> {
        self.inner.known.without_index()
    }

    /// The points of one metric of a run, at most `at_most` of them. Of more, it keeps the first
    /// and the last and, in between, the extremes of equal stretches, so that no peak is lost; see
    /// [`History`].
    ///
    /// # Errors
    /// As [`run`](Store::run), and [`StoreError::UnknownMetric`] with the nearest name.
    pub fn history(&self, run: impl AsRef<str>, metric: &str, at_most: usize) -> Result<History> {
        Ok(History::of(self.series(&self.find(run.as_ref())?, metric)?, at_most))
    }

    /// As [`history`](Store::history) for several metrics, for which the run is read once.
    ///
    /// # Errors
    /// As [`history`](Store::history), for the first metric that the run does not have.
    pub fn histories<M: AsRef<str>>(
        &self,
        run: impl AsRef<str>,
        metrics: &[M],
        at_most: usize,
    ) -> Result<BTreeMap<Name, History>> {
        let metrics: BTreeSet<&str> = metrics.iter().map(AsRef::as_ref).collect();
        self.each_series(&self.find(run.as_ref())?, &metrics, |points| History::of(points, at_most))
    }

    /// All points of a metric.
    fn series(&self, id: &RunId, metric: &str) -> Result<Vec<(u64, f64)>> {
        let mut series = self.each_series(id, &BTreeSet::from([metric]), |points| points)?;
        // There is one for each metric that was asked for.
        Ok(series.pop_first().map(|(_, points)| points).unwrap_or_default())
    }

    /// What becomes of all points of each of these metrics. Those of a long journal come from the
    /// index, if it is to be had.
    fn each_series<T>(
        &self,
        id: &RunId,
        metrics: &BTreeSet<&str>,
        finish: impl Fn(Vec<(u64, f64)>) -> T,
    ) -> Result<BTreeMap<Name, T>> {
        let path = &self.inner.journals.path(id);
        if path.metadata().is_ok_and(|metadata| metadata.len() > UNSEALED) {
            let sealed = self.inner.index.with(PATIENCE, |session| {
                let Ok(Some(mut open)) = OpenEnd::read_and_seal(session, id, path)? else {
                    return Ok(None);
                };
                if open.sealed {
                    session.flush()?;
                }
                let mut found = BTreeMap::new();
                for metric in metrics {
                    let rest = open.points.remove(metric);
                    let count = open.blocks.get(*metric);
                    if rest.is_none() && count.is_none() {
                        return Ok(None);
                    }
                    let mut points = match count {
                        Some(count) => session.points(id, metric, *count)?,
                        None => Vec::new(),
                    };
                    points.extend(rest.into_iter().flatten());
                    found.insert(Name::from(*metric), finish(points));
                }
                Ok(Some(found))
            });
            if let Ok(Some(found)) = sealed {
                return Ok(found);
            }
        }
        let record = record::load(id, path)?.ok_or_else(|| just_starting(path))?;
        let mut series = record.series;
        if let Some(metric) = metrics.iter().find(|metric| !series.contains_key(**metric)) {
            let nearest = nearest(metric, series.keys().map(SmolStr::as_str)).map(str::to_owned);
            let metric = (*metric).to_owned();
            return Err(StoreError::UnknownMetric { run: id.clone(), metric, nearest });
        }
        let asked_for = metrics.iter().filter_map(|metric| series.remove_entry(*metric));
        Ok(asked_for.map(|(name, points)| (name, finish(points))).collect())
    }

    /// Follows a run from its start, while it is being written and until it is settled; see
    /// [`Tail`].
    ///
    /// # Errors
    /// As [`run`](Store::run).
    pub fn tail(&self, run: impl AsRef<str>) -> Result<Tail> {
        let id = self.find(run.as_ref())?;
        let path = self.inner.journals.path(&id);
        Ok(Tail::new(id, path))
    }

    /// The run with this id, or the only one whose id begins so, always from its journal. Its id is
    /// that of a summary or a record too.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`] with the nearest id, [`StoreError::AmbiguousRun`] with the
    /// candidates, and [`StoreError::UnreadableRun`] when not even the start of its journal can be
    /// read.
    pub fn run(&self, id_or_unique_prefix: impl AsRef<str>) -> Result<RunRecord> {
        let id = self.find(id_or_unique_prefix.as_ref())?;
        let path = self.inner.journals.path(&id);
        record::load(&id, &path)?.ok_or_else(|| just_starting(&path))
    }

    /// The only run whose id begins so.
    pub(crate) fn find(&self, id_or_unique_prefix: &str) -> Result<RunId> {
        let wanted = id_or_unique_prefix.trim();
        let ids = self.inner.journals.list()?;
        let mut fits: Vec<&RunId> =
            ids.iter().filter(|id| id.as_str().starts_with(wanted)).collect();
        fits.sort();
        // Nothing is the beginning of all, and names none.
        fits.retain(|_| !wanted.is_empty());
        match fits.as_slice() {
            [id] => Ok((*id).clone()),
            [] => {
                let near = nearest(wanted, ids.iter().map(RunId::as_str));
                let nearest = near.and_then(|near| near.parse().ok());
                Err(StoreError::UnknownRun { id: wanted.to_owned(), nearest })
            }
            fits => Err(StoreError::AmbiguousRun {
                prefix: wanted.to_owned(),
                candidates: fits.iter().map(|id| (*id).clone()).collect(),
            }),
        }
    }

    /// The runs that fit, in the order that the query asks for, else newest first. The language is
    /// described in [`query`](crate::query).
    ///
    /// # Errors
    /// [`StoreError::Query`] with the place that is wrong. A name that no run has is an error,
    /// never an empty list.
    pub fn query(&self, text: &str) -> Result<Vec<RunSummary>> {
        // A mistake in the text shows before anything is read.
        let query = query::parse(text)?;
        self.selected(text, &query, &self.summaries()?)
    }

    /// As [`query`](Store::query), for a query that Rust wrote; see [`query`](crate::query).
    ///
    /// # Errors
    /// [`StoreError::Query`], whose places are those of the query's text.
    pub fn select(&self, query: impl Into<Query>) -> Result<Vec<RunSummary>> {
        let (text, query) = query.into().into_parts()?;
        self.selected(&text, &query, &self.summaries()?)
    }

    /// As [`query`](Store::query), with what there is to say besides.
    ///
    /// # Errors
    /// As [`query`](Store::query).
    pub fn answer(&self, text: &str) -> Result<Answer> {
        let query = query::parse(text)?;
        self.answered(text, &query)
    }

    /// As [`select`](Store::select), with what there is to say besides.
    ///
    /// # Errors
    /// As [`select`](Store::select).
    pub fn answer_to(&self, query: impl Into<Query>) -> Result<Answer> {
        let (text, query) = query.into().into_parts()?;
        self.answered(&text, &query)
    }

    /// As [`answer_to`](Store::answer_to), with the summaries that this store holds in memory, and
    /// no copies of them: for whoever shows a few of many.
    ///
    /// # Errors
    /// As [`select`](Store::select).
    pub fn shared_answer_to(&self, query: impl Into<Query>) -> Result<Answer<Arc<RunSummary>>> {
        let (text, query) = query.into().into_parts()?;
        self.shared(&text, &query)
    }

    /// As [`answer`](Store::answer), with the summaries that this store holds in memory, and no
    /// copies of them.
    ///
    /// # Errors
    /// As [`query`](Store::query).
    pub fn shared_answer(&self, text: &str) -> Result<Answer<Arc<RunSummary>>> {
        let query = query::parse(text)?;
        self.shared(text, &query)
    }

    fn shared(&self, text: &str, query: &query::Parsed) -> Result<Answer<Arc<RunSummary>>> {
        let runs = self.summaries()?;
        let remarks = query::remarks(text, query, &runs, self)?;
        Ok(Answer { runs: query::select(text, query, &runs, self)?, remarks })
    }

    fn answered(&self, text: &str, query: &query::Parsed) -> Result<Answer> {
        let Answer { runs, remarks } = self.shared(text, query)?;
        Ok(Answer { runs: runs.into_iter().map(Arc::unwrap_or_clone).collect(), remarks })
    }

    fn selected(
        &self,
        text: &str,
        query: &query::Parsed,
        runs: &Summaries,
    ) -> Result<Vec<RunSummary>> {
        let selected = query::select(text, query, runs, self)?;
        Ok(selected.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    /// Stores bytes under their hash. On return they are on disk. Bytes that are there already are
    /// not written again.
    ///
    /// What no run refers to is garbage, which [`plan_collection`](Store::plan_collection) finds.
    /// Put an object while the run that is to refer to it is being written, and record it before
    /// that run's last writer is dropped.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::ObjectsLocked`] if somebody deleted objects for longer
    /// than a second.
    pub fn put_object(&self, bytes: &[u8]) -> Result<ObjectId> {
        self.inner.objects.put(bytes)
    }

    /// Reads an object and checks that it is what was stored.
    pub fn get_object(&self, id: &ObjectId) -> Result<Vec<u8>> {
        self.inner.objects.get(id)
    }

    /// Throws the index away and builds it from the journals. Returns how many runs there are.
    pub fn rebuild_index(&self) -> Result<usize> {
        let Inner { known, journals, index, path, .. } = &*self.inner;
        known.clear();
        let ids = journals.list()?;
        index.anew(PATIENCE, |session| known::look_up_all(session, journals, &ids)).map_err(
            |error| {
                let source = io::Error::other(error.to_string());
                StoreError::Io { action: "rebuild the index of", path: path.clone(), source }
            },
        )
    }

    /// Puts a run whose writer is gone into the index, so that nobody has to read its journal for a
    /// list.
    pub(crate) fn settle(&self, run: &RunId) {
        let Inner { known, journals, index, .. } = &*self.inner;
        known.settle(&[run], journals, index, Duration::ZERO);
    }

    /// Puts runs into the index that came with all their records, `changed` of them in place of an
    /// earlier state.
    pub(crate) fn settle_all(&self, runs: &[&RunId], changed: &[RunId]) {
        let Inner { known, journals, index, .. } = &*self.inner;
        changed.iter().for_each(|id| known.forget(id));
        if !runs.is_empty() {
            known.settle(runs, journals, index, PATIENCE);
        }
    }

    #[cfg(test)]
    pub(crate) fn inner_index(&self) -> &Index {
        &self.inner.index
    }

    /// The journals of all runs.
    pub(crate) fn journals(&self) -> &Journals {
        &self.inner.journals
    }

    /// The folder of objects.
    pub(crate) fn objects(&self) -> &Objects {
        &self.inner.objects
    }
}

impl Histories for Store {
    /// Of a run that was deleted since it was listed there are none.
    fn points(&self, run: &RunSummary, metric: &str) -> Vec<(u64, f64)> {
        self.series(&run.id, metric).unwrap_or_default()
    }
}

pub(crate) fn just_starting(path: &Path) -> StoreError {
    StoreError::UnreadableRun { path: path.to_owned(), why: "the run is just starting".to_owned() }
}
