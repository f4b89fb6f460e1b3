//! Which runs a query selects, and in which order.

use std::sync::Arc;

use jiff::Timestamp;

use super::ast::Query;
use super::bind::bind;
use super::cell::{Cell, compare_nullable};
use super::column::{Histories, View};
use super::error::QueryError;
use crate::summary::RunSummary;

/// The runs that `query` selects from `runs`, which come newest first. Its places are those of `text`.
pub(crate) fn select(
    text: &str,
    query: &Query,
    runs: Vec<Arc<RunSummary>>,
    histories: &dyn Histories,
) -> Result<Vec<Arc<RunSummary>>, QueryError> {
    select_at(Timestamp::now(), text, query, runs, histories)
}

fn select_at(
    now: Timestamp,
    text: &str,
    query: &Query,
    runs: Vec<Arc<RunSummary>>,
    histories: &dyn Histories,
) -> Result<Vec<Arc<RunSummary>>, QueryError> {
    let (condition, order) = bind(text, query, &runs, now)?;
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut found: Vec<&Arc<RunSummary>> = Vec::new();
    // What to sort by: as many as there are fields in `order`, for each of `found`.
    let mut keys: Vec<Option<Cell<'_>>> = Vec::new();
    for run in &runs {
        if order.is_empty() && found.len() >= limit {
            break;
        }
        let mut view = View::new(run, histories);
        if condition.as_ref().is_none_or(|condition| condition.truth(&mut view) == Some(true)) {
            found.push(run);
            keys.extend(order.iter().map(|(column, _)| column.of(&mut view)));
        }
    }
    let mut places: Vec<usize> = (0..found.len()).collect();
    let compare = |a: &usize, b: &usize| {
        let mut fields = order.iter().enumerate().map(|(field, (_, direction))| {
            compare_nullable(keys[a * order.len() + field], keys[b * order.len() + field], *direction)
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

#[cfg(test)]
mod tests;
