//! Getting data out: runs in formats that other programs read.
//!
//! | | what is written | whole runs | table of runs | points | NaN and infinities |
//! |---|---|---|---|---|---|
//! | [`json`] | documents | yes | | | as text, or `null` if asked for |
//! | [`csv`] | tables | | yes | yes | `NaN`, `inf`, `-inf` |
//! | `parquet` (feature) | tables with types | | yes | yes | kept |
//! | [`tensorboard`] | an event file for each run | | | yes | kept |
//! | `mlflow` (feature) | runs on a tracking server | | | yes | NaN kept; MLflow stores an infinity as the largest number |
//!
//! All of them are functions of what the store returned. Those that write take any
//! [`std::io::Write`] and know nothing of files; where something is to be written is the caller's
//! affair. Those that write points take records from an iterator and hold one at a time.
//!
//! A table of runs has a row for each run, and these columns: `id`, `name`, `state`, `reason` (why
//! it was stopped or failed), `started_at`, `seconds`, `seed`, `model`, `steps`, `epochs`,
//! `warnings`, `damage`, `parent` (the run on which it went on); then `params.NAME`, `tags.NAME` and
//! `metrics.NAME.AGGREGATE` for every name that any of the runs has, sorted. What a run lacks is empty. A table of points has the
//! columns `run`, `metric`, `step` and `value`, and a row for each point in the order of logging.
//!
//! ```
//! use trainbook_store::{EndState, Metric, RunEnd, RunStart, Store, export};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path();
//! let store = Store::open(path)?;
//! let run = store.start_run(RunStart::default())?;
//! run.log(1, &[Metric::new("loss", 0.5)]);
//! run.finish(RunEnd::new(EndState::Finished, 1, 1))?;
//!
//! let mut points = Vec::new();
//! export::csv::points(store.runs()?.iter().map(|run| store.run(run.id.as_str())), &mut points)?;
//! assert_eq!(String::from_utf8_lossy(&points), format!("run,metric,step,value\n{},loss,1,0.5\n", run.id()));
//! # Ok::<(), trainbook_store::StoreError>(())
//! ```

pub mod csv;
pub mod json;
#[cfg(feature = "mlflow")]
pub mod mlflow;
#[cfg(feature = "parquet")]
pub mod parquet;
mod table;
pub mod tensorboard;
mod tree;

use std::io;

use crate::error::StoreError;

/// For `map_err` around what writes an export.
fn failed<E: Into<io::Error>>(format: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Export { format, source: error.into() }
}

#[cfg(test)]
pub(crate) mod samples;
