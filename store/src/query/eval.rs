//! Which runs a query selects, and in which order.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use jiff::Timestamp;

use super::ast::{Direction, Query};
use super::bind::{Bound, bind};
use super::cell::{Cell, compare_nullable};
use super::column::{Column, Histories, View};
use super::error::QueryError;
use crate::summary::RunSummary;

/// With fewer it costs more to start a thread than it saves.
const RUNS_PER_THREAD: usize = if cfg!(test) { 2 } else { 1_000 };

/// The runs that `query` selects from `runs`, which come newest first. Its places are those of
/// `text`.
pub(crate) fn select(
    text: &str,
    query: &Query,
    runs: &[Arc<RunSummary>],
    histories: &dyn Histories,
) -> Result<Vec<Arc<RunSummary>>, QueryError> {
    select_at(Timestamp::now(), text, query, runs, histories)
}

fn select_at(
    now: Timestamp,
    text: &str,
    query: &Query,
    runs: &[Arc<RunSummary>],
    histories: &dyn Histories,
) -> Result<Vec<Arc<RunSummary>>, QueryError> {
    let (condition, order) = bind(text, query, runs, now)?;
    let limit = query.limit.unwrap_or(usize::MAX);
    let reads_points = condition.as_ref().is_some_and(Bound::reads_points)
        || order.iter().any(|(column, _)| column.reads_points());
    let threads = match runs.len() / RUNS_PER_THREAD {
        // The newest runs will do, or the points may have to come from one file after the other.
        _ if order.is_empty() && limit < runs.len() || reads_points => 1,
        worth => thread::available_parallelism().map_or(1, NonZero::get).min(worth).max(1),
    };
    let pick = |runs, histories| Picked::of(runs, condition.as_ref(), &order, limit, histories);
    let Picked { found, keys } = if threads == 1 {
        pick(runs, histories)
    } else {
        thread::scope(|scope| {
            let parts = runs.chunks(runs.len().div_ceil(threads));
            let parts: Vec<_> =
                parts.map(|part| scope.spawn(move || pick(part, &nothing))).collect();
            parts.into_iter().fold(Picked::default(), |mut all, part| {
                let part = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                all.found.extend(part.found);
                all.keys.extend(part.keys);
                all
            })
        })
    };
    let mut places: Vec<usize> = (0..found.len()).collect();
    let compare = |a: &usize, b: &usize| {
        let mut fields = order.iter().enumerate().map(|(field, (_, direction))| {
            compare_nullable(
                keys[a * order.len() + field],
                keys[b * order.len() + field],
                *direction,
            )
        });
        // Runs that are equal stay newest first.
        fields.find(|ordering| ordering.is_ne()).unwrap_or_else(|| a.cmp(b))
    };
    if limit < places.len() {
        places.select_nth_unstable_by(limit, compare);
        places.truncate(limit);
    }
    places.sort_unstable_by(compare);
    Ok(places.into_iter().map(|place| Arc::clone(found[place])).collect())
}

/// Runs that fulfil a condition, in the order in which they came.
#[derive(Default)]
struct Picked<'r> {
    found: Vec<&'r Arc<RunSummary>>,
    /// What to sort by: as many as there are fields in the order, for each of `found`.
    keys: Vec<Option<Cell<'r>>>,
}

impl<'r> Picked<'r> {
    fn of(
        runs: &'r [Arc<RunSummary>],
        condition: Option<&Bound<'_>>,
        order: &[(Column, Direction)],
        limit: usize,
        histories: &'r dyn Histories,
    ) -> Picked<'r> {
        let mut picked = Picked::default();
        for run in runs {
            if order.is_empty() && picked.found.len() >= limit {
                break;
            }
            let mut view = View::new(run, histories);
            if condition.is_none_or(|condition| condition.truth(&mut view) == Some(true)) {
                picked.found.push(run);
                picked.keys.extend(order.iter().map(|(column, _)| column.of(&mut view)));
            }
        }
        picked
    }
}

/// In place of the points of queries that read none.
fn nothing(_: &RunSummary, _: &str) -> Vec<(u64, f64)> {
    Vec::new()
}

#[cfg(test)]
mod tests;
