//! The run store as a notebook sees it: the same store, whose answers show themselves.

use std::borrow::Borrow;
use std::ops::Deref;
use std::path::Path;

use trainbook_store::query::{Answer, Query};
use trainbook_store::{Comparison, ObjectId, RunEvent, RunRecord, RunSummary};

use crate::Error;
use crate::display::{self, Bundle};

/// A run store. Everything that [`trainbook_store::Store`] does, with answers that show themselves
/// in a notebook.
#[derive(Clone)]
pub struct Store(trainbook_store::Store);

impl Store {
    /// Opens the store in this folder, and creates it where there is none.
    ///
    /// # Errors
    /// The folder cannot be created or written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self(trainbook_store::Store::open(path)?))
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Runs, Error> {
        Ok(Runs(Answer { runs: self.0.runs()?, remarks: Vec::new() }))
    }

    /// The runs that a query selects, for example
    /// `metrics.val_accuracy.max > 0.95 and params.lr between 1e-4 and 1e-2 order by metrics.val_loss.min limit 10`.
    ///
    /// # Errors
    /// The query cannot be read, compares things of different types, or names a field that no run
    /// has; the message shows where.
    pub fn query(&self, query: &str) -> Result<Runs, Error> {
        Ok(Runs(self.0.answer(query)?))
    }

    /// The runs that a query selects which was put together in Rust; see
    /// [`trainbook_store::query`].
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn select(&self, query: impl Into<Query>) -> Result<Runs, Error> {
        Ok(Runs(self.0.answer_to(query)?))
    }

    /// Several runs side by side, each named by its id, a beginning of it that no other has, or by its
    /// summary: their curves over each other, and what differs.
    ///
    /// # Errors
    /// Fewer than two runs, or there is no such run.
    pub fn compare<R: AsRef<str>>(
        &self,
        runs: impl IntoIterator<Item = R>,
    ) -> Result<ComparedRuns, Error> {
        Ok(ComparedRuns(self.0.compare(runs)?))
    }

    /// One run, by its id, a beginning of it that no other has, or by a [`Run`](crate::Run) or summary
    /// of it.
    pub fn run(&self, run: impl AsRef<str>) -> Result<StoredRun, Error> {
        Ok(StoredRun { record: self.0.run(run)?, store: self.0.clone() })
    }
}

impl From<trainbook_store::Store> for Store {
    fn from(store: trainbook_store::Store) -> Self {
        Self(store)
    }
}

/// A trainer takes it, lent or given.
impl Borrow<trainbook_store::Store> for Store {
    fn borrow(&self) -> &trainbook_store::Store {
        &self.0
    }
}

impl Borrow<trainbook_store::Store> for &Store {
    fn borrow(&self) -> &trainbook_store::Store {
        &self.0
    }
}

impl Deref for Store {
    type Target = trainbook_store::Store;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Several runs.
#[derive(Clone)]
pub struct Runs(Answer);

impl Deref for Runs {
    type Target = [RunSummary];

    fn deref(&self) -> &Self::Target {
        &self.0.runs
    }
}

impl Runs {
    /// What a query has to say besides: runs that it passed over because their values are of another
    /// type.
    pub fn remarks(&self) -> &[String] {
        &self.0.remarks
    }

    /// The runs as a notebook shows them.
    pub fn view(&self) -> Bundle {
        display::runs(&self.0.runs).followed_by(&self.0.remarks)
    }

    /// Shows the runs as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

/// Several runs side by side.
#[derive(Clone)]
pub struct ComparedRuns(Comparison);

impl Deref for ComparedRuns {
    type Target = Comparison;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl ComparedRuns {
    /// The runs as a notebook shows them.
    pub fn view(&self) -> Bundle {
        display::comparison(&self.0)
    }

    /// Shows the runs as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl std::fmt::Display for ComparedRuns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One run with everything that was recorded of it.
#[derive(Clone)]
pub struct StoredRun {
    record: RunRecord,
    store: trainbook_store::Store,
}

impl Deref for StoredRun {
    type Target = RunRecord;

    fn deref(&self) -> &Self::Target {
        &self.record
    }
}

/// Its id.
impl AsRef<str> for StoredRun {
    fn as_ref(&self) -> &str {
        self.record.summary.id.as_str()
    }
}

impl StoredRun {
    /// The newest checkpoint under this label, such as "best", "last" or "final", as bytes for
    /// [`load_checkpoint`](crate::Trainer::load_checkpoint) and
    /// [`resume_from`](crate::Trainer::resume_from).
    ///
    /// # Errors
    /// There is none, and the message names those that are kept; or it cannot be read.
    pub fn checkpoint(&self, label: &str) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = self.first_of(self.checkpoints(|known| known == label))? {
            return Ok(bytes);
        }
        let mut labels: Vec<&str> = Vec::new();
        for event in &self.record.events {
            if let RunEvent::Checkpoint { label, .. } = &event.event
                && !labels.contains(&label.as_str())
            {
                labels.push(label);
            }
        }
        let id = &self.record.summary.id;
        Err(Error::State(match labels[..] {
            [] => format!("run {id} keeps none"),
            _ => format!("run {id} keeps none called `{label}`; there are: {}", labels.join(", ")),
        }))
    }

    /// The objects of the checkpoints that the run has written under such labels, the newest first.
    pub(crate) fn checkpoints(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = ObjectId> {
        self.record.events.iter().rev().filter_map(move |event| match &event.event {
            RunEvent::Checkpoint { label, object, .. } if is_wanted(label) => Some(*object),
            _ => None,
        })
    }

    /// The bytes of the first of these objects that can be read; `None` if there are none.
    ///
    /// # Errors
    /// None can be read.
    pub(crate) fn first_of(
        &self,
        objects: impl IntoIterator<Item = ObjectId>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut failed = None;
        for object in objects {
            match self.store.get_object(&object) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), |error| Err(error.into()))
    }

    /// The store that holds it.
    pub(crate) fn store(&self) -> &trainbook_store::Store {
        &self.store
    }

    /// The run as a notebook shows it: the same as when it had just ended.
    pub fn view(&self) -> Bundle {
        display::run(&self.record, &self.store.past(&self.record))
    }

    /// Shows the run as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}
