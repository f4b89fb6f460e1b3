//! What differs between two runs.

use serde::Serialize;
use trainbook_store::{Difference, Divergence, Group, RunDiff, RunId, Store};

use super::failure::Failure;
use super::number::{Number, text};
use crate::http::{Request, Response, Status};

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

pub(super) fn answer(
    store: &Store,
    a: &str,
    b: &str,
    request: &Request,
) -> Result<Response, Failure> {
    let diff = store.diff(a, b)?;
    let sentence = diff.sentence();
    let RunDiff { a, b, causes, results, circumstances, divergences, not_known, not_compared } =
        diff;
    let differences = causes.into_iter().chain(results).chain(circumstances);
    let comparison = Comparison {
        a,
        b,
        sentence,
        differences: differences.map(Row::of).collect(),
        divergences: divergences.into_iter().map(Parting::of).collect(),
        not_known,
        not_compared,
    };
    Ok(Response::json(Status::Ok, &comparison).unless_known(request))
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
