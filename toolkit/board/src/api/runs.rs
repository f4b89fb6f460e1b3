//! The table of runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use trainbook_store::query::{Answer, Query};
use trainbook_store::{Aggregate, Name, RunId, RunSummary, Store, Timestamp};

use super::failure::Failure;
use super::number::{Number, text};
use crate::http::{Request, Response, Status};

/// Rows of a page, if nobody says how many.
const ROWS: usize = 100;

/// Most rows of a page.
const MOST_ROWS: usize = 1_000;

/// Characters of a network's text that a row shows.
const MODEL: usize = 80;

/// Most names that are offered as columns, the most frequent of each kind.
const MOST_NAMES: usize = 200;

/// A page of the table.
#[derive(Debug, Serialize)]
struct Table {
    /// The store's folder.
    store: String,
    /// How many runs fit the query.
    total: usize,
    /// How many of them stand before this page.
    offset: usize,
    /// Whether the query says itself how to sort or how many to show, so that `order` was not used.
    sorts_itself: bool,
    /// What the query passed over without being wrong.
    remarks: Vec<String>,
    /// Why the index could not be used, which makes answers slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    index_problem: Option<String>,
    names: Names,
    runs: Vec<Row>,
}

/// What the runs that fit have, the most frequent names first.
#[derive(Debug, Serialize)]
struct Names {
    metrics: Vec<Name>,
    params: Vec<Name>,
    tags: Vec<Name>,
}

/// What the table shows of a run, and what curves need.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: RunId,
    name: Option<String>,
    state: &'static str,
    reason: Option<String>,
    started_at: Timestamp,
    seconds: Option<Number>,
    /// As text: it may be larger than JavaScript's numbers are exact.
    seed: String,
    model: String,
    parent: Option<RunId>,
    steps: u64,
    epochs: u64,
    warnings: u64,
    damage: Option<String>,
    params: BTreeMap<Name, String>,
    tags: BTreeMap<Name, String>,
    metrics: BTreeMap<Name, Whole>,
}

/// A metric over the whole run.
#[derive(Debug, Serialize)]
pub(super) struct Whole {
    count: u64,
    nan_count: u64,
    first: Number,
    last: Number,
    min: Number,
    max: Number,
    mean: Number,
    argmin: u64,
    argmax: u64,
}

pub(super) fn answer(store: &Store, request: &Request) -> Result<Response, Failure> {
    let query = request.parameter("query").unwrap_or_default();
    let order = request.parameter("order").unwrap_or_default().trim();
    let offset = count(request, "offset", 0)?;
    let limit = count(request, "limit", ROWS)?.min(MOST_ROWS);
    let (ordered, sorts_itself) = with_order(query, order)?;
    let Answer { runs, remarks } = match &*ordered {
        "" => store.shared_answer_to(Query::all())?,
        ordered => store.shared_answer(ordered)?,
    };
    let table = Table {
        store: store.path().display().to_string(),
        total: runs.len(),
        offset,
        sorts_itself,
        remarks,
        index_problem: store.index_problem().map(|problem| problem.to_string()),
        names: Names::of(&runs),
        runs: runs.iter().skip(offset).take(limit).map(|run| Row::of(run)).collect(),
    };
    Ok(Response::json(Status::Ok, &table).unless_known(request))
}

/// The query with an order behind it, on a line of its own so that a mistake shows the person's line
/// alone; and whether it had an order or a limit already, which stand. An empty query is every run,
/// which is no text of the language.
fn with_order(query: &str, order: &str) -> Result<(String, bool), Failure> {
    let query = if query.trim().is_empty() { "" } else { query };
    if !query.is_empty() {
        let _: Query = query.parse()?;
    }
    if order.is_empty() {
        return Ok((query.to_owned(), false));
    }
    let order = format!("order by {order}");
    let _: Query = order.parse()?;
    let ordered = format!("{query}\n{order}");
    match ordered.parse::<Query>() {
        Ok(_) => Ok((ordered, false)),
        Err(_) => Ok((query.to_owned(), true)),
    }
}

fn count(request: &Request, name: &str, otherwise: usize) -> Result<usize, Failure> {
    let Some(text) = request.parameter(name) else { return Ok(otherwise) };
    text.parse().map_err(|_| {
        Failure::bad_request(format!("read {name} {text:?}: it must be a whole number"))
    })
}

impl Names {
    fn of(runs: &[Arc<RunSummary>]) -> Names {
        let mut counts: [HashMap<&Name, usize>; 3] = Default::default();
        for run in runs {
            let [metrics, params, tags] = &mut counts;
            run.metrics.keys().for_each(|name| *metrics.entry(name).or_default() += 1);
            run.params.keys().for_each(|name| *params.entry(name).or_default() += 1);
            run.tags.keys().for_each(|name| *tags.entry(name).or_default() += 1);
        }
        let [metrics, params, tags] = counts.map(most_frequent);
        Names { metrics, params, tags }
    }
}

fn most_frequent(counts: HashMap<&Name, usize>) -> Vec<Name> {
    let mut names: Vec<(&Name, usize)> = counts.into_iter().collect();
    names.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    names.into_iter().take(MOST_NAMES).map(|(name, _)| name.clone()).collect()
}

impl Row {
    pub(super) fn of(run: &RunSummary) -> Row {
        Row {
            id: run.id.clone(),
            name: run.name.clone(),
            state: run.state.name(),
            reason: run.state.reason().map(str::to_owned),
            started_at: run.started_at,
            seconds: run.seconds.map(Number),
            seed: run.seed.to_string(),
            model: shortened(&run.model),
            parent: run.parent.as_ref().map(|parent| parent.run.clone()),
            steps: run.steps,
            epochs: run.epochs,
            warnings: run.warnings,
            damage: run.damage.clone(),
            params: run.params.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            tags: run.tags.clone(),
            metrics: run.metrics.iter().map(|(name, of)| (name.clone(), Whole::of(of))).collect(),
        }
    }
}

impl Whole {
    fn of(aggregate: &Aggregate) -> Whole {
        let Aggregate { count, nan_count, first, last, min, max, mean, argmin, argmax } =
            *aggregate;
        let [first, last, min, max, mean] = [first, last, min, max, mean].map(Number);
        Whole { count, nan_count, first, last, min, max, mean, argmin, argmax }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().nth(MODEL).is_none() {
        return text.to_owned();
    }
    text.chars().take(MODEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_added_unless_the_query_has_its_own() {
        let with = |query, order| with_order(query, order).map_err(|_| ());
        assert_eq!(with(" ", ""), Ok((String::new(), false)));
        assert_eq!(with("", "id desc"), Ok(("\norder by id desc".into(), false)));
        assert_eq!(with("seed = 1", "id"), Ok(("seed = 1\norder by id".into(), false)));
        for query in ["seed = 1 order by seed", "limit 3", "order by id limit 1"] {
            assert_eq!(with(query, "id"), Ok((query.into(), true)));
        }
        assert_eq!(with("seed =", "id"), Err(()));
        assert_eq!(with("", "id id"), Err(()));
    }
}
