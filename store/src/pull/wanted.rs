//! Which runs are pulled.

use std::sync::Arc;

use crate::error::Result;
use crate::known;
use crate::query;
use crate::record;
use crate::run_id::RunId;
use crate::store::Store;
use crate::summary::RunSummary;

/// Which runs of another store are [pulled](Store::pull). The runs on which they went on come too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    #[default]
    All,
    /// Those that a query selects; see [`query`](crate::query).
    Query(String),
    /// These: their ids, or beginnings of them that no other run there has.
    Runs(Vec<String>),
}

impl Wanted {
    /// The runs in `from` that are meant, each at least once. Only reads there, and without its index.
    ///
    /// # Errors
    /// As [`query`](Store::query) and [`summary`](Store::summary), if a query cannot be read or a run
    /// is not there, and if the folder of journals cannot be read.
    pub fn find(&self, from: &Store) -> Result<Vec<RunId>> {
        match self {
            Wanted::All => from.journals().list(),
            Wanted::Query(text) => {
                let parsed = query::parse(text)?;
                let runs = known::read_all(from.journals(), &from.journals().list()?);
                let points = |run: &RunSummary, metric: &str| points(from, &run.id, metric);
                let selected = query::select(text, &parsed, &runs, &points)?;
                Ok(selected.into_iter().map(|run| Arc::unwrap_or_clone(run).id).collect())
            }
            Wanted::Runs(runs) => runs.iter().map(|run| from.find(run)).collect(),
        }
    }
}

/// From the journal alone. Of a run that cannot be read there are none.
fn points(from: &Store, id: &RunId, metric: &str) -> Vec<(u64, f64)> {
    let record = record::load(id, &from.journals().path(id)).ok().flatten();
    record.and_then(|mut record| record.series.remove(metric)).unwrap_or_default()
}
