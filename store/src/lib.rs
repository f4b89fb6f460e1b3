//! The run store of trainbook: every training run, its numbers and its files, kept so that they can
//! be trusted.
//!
//! ```text
//! <store>/format                  version of this layout
//! <store>/runs/<run-id>.log       the journal of one run, append-only: the truth
//! <store>/index/                  sled: summaries of settled runs, rebuilt from the journals at any time
//! <store>/objects/<aa>/<hash>     files by content hash: checkpoints, exported networks, changes to the code
//! ```
//!
//! A run is begun with [`Store::start_run`], which gives a [`RunWriter`]. Its
//! [`log`](RunWriter::log) puts points into a queue, and a thread of the run writes them to the
//! journal, so that training waits for nothing and no full disk breaks it. Whoever reads — another
//! notebook, a script, the command line — reads journals, which needs no lock: [`Store::runs`]
//! lists, [`Store::query`] selects, [`Store::run`] shows one run whole, [`Store::watch`] follows
//! one, [`Store::compare`] lays several side by side. [`Store::pull`] takes the runs of another
//! store, from another machine for example.
//!
//! Whether a run is alive is never guessed. Its writer holds a lock on the journal; when the lock
//! is free and the journal has no end record, the run [crashed](RunState::Crashed). What
//! [`RunWriter::flush`] acknowledged is there after a kill at any moment. A damaged journal shows
//! the part before the damage and says so.
//!
//! ```
//! use trainbook_store::{EndState, Metric, RunEnd, RunStart, Store};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path();
//! let store = Store::open(path)?;
//! let params = [("lr".into(), 1e-3.into())].into();
//! let run = store.start_run(RunStart { model: "mlp".into(), params, seed: 7, ..RunStart::default() })?;
//! for step in 1..=100 {
//!     run.log(step, &[Metric::new("loss", 1.0 / step as f64)]);
//! }
//! run.finish(RunEnd::new(EndState::Finished, 100, 1))?;
//!
//! let good = store.query("metrics.loss.min < 0.02 and params.lr between 1e-4 and 1e-2")?;
//! assert_eq!(good[0].id, *run.id());
//! # Ok::<(), trainbook_store::StoreError>(())
//! ```
//!
//! Start reading in `store.rs`; a run begins in `start.rs`. The file format is in `journal/mod.rs`
//! and `event.rs`, the queue in `recorder.rs`.

mod amount;
mod claims;
mod cleanup;
mod compare;
mod diff;
mod environment;
mod error;
mod event;
pub mod export;
mod fold;
mod history;
mod index;
mod journal;
mod journals;
mod known;
mod lock;
mod name;
mod nearest;
mod object_id;
mod objects;
mod open_end;
mod past;
mod pull;
pub mod query;
mod record;
mod recorder;
mod run_id;
mod shown;
mod start;
mod stop;
mod store;
mod summary;
mod tail;
mod text;
mod value;
mod watched;

pub use cleanup::{
    Collected, CollectionPlan, Deleted, DeletionPlan, Garbage, GarbageKind, PlannedRun, Retention,
};
pub use compare::{ComparedField, ComparedMetric, ComparedRun, Comparison};
pub use diff::{Difference, Divergence, Group, RunDiff};
pub use environment::{Attachments, Environment, Gpu, cpu_model};
pub use error::{Result, StoreError};
pub use event::{
    CallbackCost, Counters, DataFingerprint, EndState, Metric, Parent, PlannedCallback, RunEnd,
    RunEvent, RunStart, TimedEvent,
};
pub use history::History;
pub use index::IndexProblem;
pub use jiff::Timestamp;
pub use name::Name;
pub use object_id::{BadObjectId, ObjectId};
pub use past::Past;
pub use pull::{LeftObject, LeftOut, MissingParent, Pulled, Wanted};
pub use query::QueryError;
pub use record::RunRecord;
pub use recorder::RunWriter;
pub use run_id::{BadRunId, RunId};
pub use smol_str::SmolStr;
pub use store::Store;
pub use summary::{Aggregate, RunState, RunSummary};
pub use tail::{Tail, Update};
pub use value::Value;
pub use watched::Watched;
