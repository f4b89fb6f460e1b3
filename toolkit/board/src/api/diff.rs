//! What differs between two runs.
//!
//! A page asks every two seconds. Whether there is something new is told by the runs without their
//! points; only then they are compared, and those that grow are kept for the next time, so that a
//! look reads what came behind the last.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;
use trainbook_store::{Difference, Divergence, Group, RunDiff, RunId, RunState, Store, Watched};

use super::failure::Failure;
use super::number::{Number, text};
use super::watch::{Watch, lock};
use crate::http::{Request, Response, Status, Tag};

/// How many growing runs are kept.
const MOST: usize = 4;

/// How many points a run may have that is kept; they take 16 bytes each.
const MOST_POINTS: usize = 4_000_000;

/// The runs that grow and are compared, whole.
#[derive(Debug, Default)]
pub(super) struct Diffs {
    growing: Mutex<HashMap<RunId, Watched>>,
}

#[derive(Debug, Serialize)]
struct Comparison {
    a: RunId,
    b: RunId,
    /// What it comes to.
    sentence: String,
    differences: Vec<Row>,
    divergences: Vec<Parting>,
    not_known: Vec<String>,
    not_compared: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    path: String,
    group: Group,
    /// `null` where the run has none.
    a: Option<String>,
    b: Option<String>,
}

/// Where a metric differs for the first time.
#[derive(Debug, Serialize)]
struct Parting {
    metric: String,
    step: u64,
    a: Option<Number>,
    b: Option<Number>,
}

impl Diffs {
    pub(super) fn answer(
        &self,
        store: &Store,
        watch: &Watch,
        a: &str,
        b: &str,
        request: &Request,
    ) -> Result<Response, Failure> {
        let [a, b] = [watch.moment(store, a)?, watch.moment(store, b)?];
        let tag = Tag::of(format!("{} {} {} {}", a.id, a.seen, b.id, b.seen).as_bytes());
        if tag.is_known(request) {
            return Ok(tag.not_modified());
        }
        let (a, b) = (self.take(store, &a.id)?, self.take(store, &b.id)?);
        let diff = RunDiff::between(a.record(), b.record());
        self.keep([a, b]);
        Ok(tag.on(Response::json(Status::Ok, &comparison(diff))))
    }

    /// The run as it is now, out of those that are kept.
    fn take(&self, store: &Store, id: &RunId) -> Result<Watched, Failure> {
        let known = lock(&self.growing).remove(id);
        if let Some(mut known) = known
            && known.refresh().is_ok()
        {
            return Ok(known);
        }
        Ok(store.watch(id.as_str(), true)?)
    }

    /// Keeps those that grow and are not too long.
    fn keep(&self, runs: [Watched; 2]) {
        let mut growing = lock(&self.growing);
        if growing.len() + runs.len() > MOST {
            growing.clear();
        }
        for run in runs {
            let points = run.record().series.values().map(Vec::len).sum::<usize>();
            if run.record().summary.state != RunState::Running || points > MOST_POINTS {
                continue;
            }
            growing.insert(run.id().clone(), run);
        }
    }
}

fn comparison(diff: RunDiff) -> Comparison {
    let sentence = diff.sentence();
    let RunDiff { a, b, causes, results, circumstances, divergences, not_known, not_compared } =
        diff;
    let differences = causes.into_iter().chain(results).chain(circumstances);
    Comparison {
        a,
        b,
        sentence,
        differences: differences.map(Row::of).collect(),
        divergences: divergences.into_iter().map(Parting::of).collect(),
        not_known,
        not_compared,
    }
}

impl Row {
    fn of(Difference { path, group, a, b }: Difference) -> Row {
        Row { path, group, a: a.as_ref().map(text), b: b.as_ref().map(text) }
    }
}

impl Parting {
    fn of(Divergence { metric, step, a, b }: Divergence) -> Parting {
        Parting { metric, step, a: a.map(Number), b: b.map(Number) }
    }
}
