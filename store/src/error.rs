//! Everything that can go wrong in the store, as one enum.

use std::io;
use std::path::{Path, PathBuf};

use crate::object_id::{BadObjectId, ObjectId};
use crate::query::QueryError;
use crate::run_id::{BadRunId, RunId};

/// What the functions of this crate return.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do what it was asked. Messages finish the sentence "failed to …" and fit
/// on one line, except [`StoreError::Query`], which adds the query and a caret under the place that
/// is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused something.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was being done, for example "read".
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The store's folder cannot be created or written.
    #[error("write to the store folder {path}: {source}; choose a folder that you may write to")]
    NotWritable {
        /// The folder that was asked for.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The path of the store is a file.
    #[error("open the store {path}: it is a file, not a folder; choose another path")]
    NotAFolder {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// There is no store there, and the caller did not ask for one to be made.
    #[error(
        "open the store {path}: there is no store there; check the path, or train something into it first"
    )]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// A run that is to stop is not being recorded.
    #[error("stop run {id}: it is {state}, not running")]
    NotRunning {
        /// The run.
        id: RunId,
        /// What has become of it.
        state: String,
    },
    /// The store was written by a later version of this crate.
    #[error(
        "open the store {path}: it has format {found}, this trainbook reads up to {known}; use a newer trainbook"
    )]
    NewerFormat {
        /// The store's folder or the file in it.
        path: PathBuf,
        /// The version that was found.
        found: u32,
        /// The newest version that this crate knows.
        known: u32,
    },
    /// The store's `format` file does not hold a version number.
    #[error(
        "open the store {path}: its format file holds {found:?} instead of a number; restore the file (it held {known})"
    )]
    DamagedFormat {
        /// The store's folder.
        path: PathBuf,
        /// The start of what the file holds.
        found: String,
        /// What this version would have written.
        known: u32,
    },
    /// A text that should be a run id is none.
    #[error("read {text:?} as a run id: it should look like 20260131-235959-0a1b2c")]
    BadRunId {
        /// The text.
        text: String,
    },
    /// A text that should be an object id is none.
    #[error("read {text:?} as an object id: it should be 64 hexadecimal digits")]
    BadObjectId {
        /// The text.
        text: String,
    },
    /// No run has this id, or an id that begins like this.
    #[error("find run {id:?}: {}", match nearest { Some(near) => format!("the nearest id is {near}"), None => "the store holds no runs yet".to_owned() })]
    UnknownRun {
        /// What was asked for.
        id: String,
        /// The run whose id resembles it most; `None` in an empty store.
        nearest: Option<RunId>,
    },
    /// Several runs have an id that begins like this.
    #[error("find one run for {prefix:?}: it fits {}; give more of the id", candidates.iter().map(RunId::as_str).collect::<Vec<_>>().join(", "))]
    AmbiguousRun {
        /// What was asked for.
        prefix: String,
        /// Every run that it fits, oldest first.
        candidates: Vec<RunId>,
    },
    /// A journal holds nothing that can be shown: not even its start record can be read.
    #[error("read the journal {path}: {why}")]
    UnreadableRun {
        /// The journal's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A run has no metric of this name.
    #[error("find metric {metric:?} in run {run}: {}", match nearest { Some(near) => format!("the nearest is {near}"), None => "it has no metrics".to_owned() })]
    UnknownMetric {
        /// The run.
        run: RunId,
        /// What was asked for.
        metric: String,
        /// The name that resembles it most; `None` for a run without metrics.
        nearest: Option<String>,
    },
    /// No object has this id.
    #[error(
        "find object {id} in the store: it was never put there, or no run keeps it any more and it was collected"
    )]
    UnknownObject {
        /// What was asked for.
        id: ObjectId,
    },
    /// An object's bytes are not those that were stored.
    #[error(
        "read object {id}: the file {path} was changed after it was written (its hash is now {found})"
    )]
    DamagedObject {
        /// What was asked for.
        id: ObjectId,
        /// The hash of what is there.
        found: ObjectId,
        /// Where it is.
        path: PathBuf,
    },
    /// Another process was deleting or putting objects all the time.
    #[error("lock {path}: {why}; try again")]
    ObjectsLocked {
        /// The lock's file.
        path: PathBuf,
        /// Who holds it, or what the system says.
        why: String,
    },
    /// A run is still being written and cannot be deleted.
    #[error("delete run {id}: it is being written{}; end it first", process.map(|process| format!(" by process {process}")).unwrap_or_default())]
    RunInUse {
        /// The run.
        id: RunId,
        /// The process that started it, as the run says.
        process: Option<u32>,
    },
    /// Nothing says which runs are to go, which must not mean all of them.
    #[error(
        "choose runs to delete: no rule says which; give a condition, an age, or how many to keep"
    )]
    NoRule,
    /// The garbage cannot be told from what is needed.
    #[error(
        "find what run {id} refers to, without which nothing can be collected: {why}; delete that run first, if no newer trainbook reads it"
    )]
    UnknownReferences {
        /// The run.
        id: RunId,
        /// What is wrong with its journal.
        why: String,
    },
    /// Two stores hold runs of the same id that are not the same run.
    #[error(
        "pull run {id}: this store holds another run of that id; delete the one that is not wanted, here or there"
    )]
    OtherRun {
        /// The run.
        id: RunId,
    },
    /// A store was to be pulled into itself.
    #[error("pull from the store {path}: it is this very store; name the folder of another")]
    PullFromItself {
        /// The folder that was named.
        path: PathBuf,
    },
    /// A single run cannot be compared.
    #[error("compare runs: {found} of them {}, and it takes two", if *found == 1 { "was given" } else { "were given" })]
    TooFewRuns {
        /// How many different runs were given.
        found: usize,
    },
    /// None of several runs has a metric of this name.
    #[error("find metric {metric:?} in any of the runs: {}", match nearest { Some(near) => format!("the nearest is {near}"), None => "they have no metrics".to_owned() })]
    UnknownMetricOfAll {
        /// What was asked for.
        metric: String,
        /// The name that resembles it most; `None` if no run has a metric.
        nearest: Option<String>,
    },
    /// A run could not be recorded in full. What could be recorded is there.
    #[error("record run {id} in full: {problem}")]
    Recording {
        /// The run.
        id: RunId,
        /// What is missing and why.
        problem: String,
    },
    /// A record does not fit the journal's format.
    #[error("encode a record: {why}")]
    Encode {
        /// What the encoder says.
        why: String,
    },
    /// An export could not be written.
    #[error("write the {format} export: {source}")]
    Export {
        /// The format, for example "CSV".
        format: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// An MLflow server did not take a run, or there is none.
    #[error("push to the MLflow server {url}: {why}")]
    Push {
        /// The server's address.
        url: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// The query is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl From<BadRunId> for StoreError {
    fn from(BadRunId { text }: BadRunId) -> StoreError {
        StoreError::BadRunId { text }
    }
}

impl From<BadObjectId> for StoreError {
    fn from(BadObjectId { text }: BadObjectId) -> StoreError {
        StoreError::BadObjectId { text }
    }
}

impl StoreError {
    /// For `map_err` around a call of the file system.
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> StoreError + 'a {
        move |source| StoreError::Io { action, path: path.to_owned(), source }
    }
}
