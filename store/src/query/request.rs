//! A whole query, from Rust or from text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::ast::{self, Direction, Path};
use super::condition::Condition;
use super::error::QueryError;
use super::eval::select;
use super::parse::parse;
use crate::summary::RunSummary;

/// A query for [`Store::select`](crate::Store::select): a condition, an order and a limit, each of
/// them optional.
///
/// Its `Display` is its text in the [query language](super), which errors show and `parse` reads
/// back; that of [`Query::all`] is empty.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Query(pub(super) ast::Query);

/// One field to sort by, and the direction.
#[derive(Debug, Clone)]
#[must_use]
pub struct Order(pub(super) Path, pub(super) Direction);

impl Query {
    /// Every run.
    pub fn all() -> Query {
        Query::default()
    }

    /// Sorts the runs. Each further call decides between runs that are equal by those before it.
    /// Runs that lack the field come last in either direction, and NaN just before them. Default:
    /// the newest run first.
    pub fn order_by(mut self, order: Order) -> Query {
        self.0.order.push((order.0, order.1));
        self
    }

    /// At most so many runs. Default: all.
    pub fn limit(mut self, runs: usize) -> Query {
        self.0.limit = Some(runs);
        self
    }

    /// Selects from summaries that the caller has, newest first, instead of a store's. `points`
    /// gives the points of a run's metric as (step, value) in the order of logging; it is asked
    /// only for what `at(…)` and `any(…)` cannot do without, and at most once for each run and
    /// metric.
    ///
    /// # Errors
    /// A name that none of the runs has, or a comparison that makes no sense; the places are those
    /// of the query's text.
    pub fn select_from(
        &self,
        runs: &[Arc<RunSummary>],
        points: impl Fn(&RunSummary, &str) -> Vec<(u64, f64)>,
    ) -> Result<Vec<Arc<RunSummary>>, QueryError> {
        let (text, query) = self.clone().into_parts()?;
        select(&text, &query, runs, &points)
    }

    /// The text, and the query with its places in that text.
    pub(crate) fn into_parts(self) -> Result<(String, ast::Query), QueryError> {
        self.0.render()
    }
}

impl Condition {
    /// Runs that fulfil it, in this order; see [`Query::order_by`].
    pub fn order_by(self, order: Order) -> Query {
        Query::from(self).order_by(order)
    }

    /// At most so many of the runs that fulfil it.
    pub fn limit(self, runs: usize) -> Query {
        Query::from(self).limit(runs)
    }
}

impl From<Condition> for Query {
    fn from(condition: Condition) -> Query {
        Query(ast::Query { condition: Some(condition.0), ..ast::Query::default() })
    }
}

impl From<&Condition> for Query {
    fn from(condition: &Condition) -> Query {
        condition.clone().into()
    }
}

impl From<&Query> for Query {
    fn from(query: &Query) -> Query {
        query.clone()
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Query, QueryError> {
        parse(text).map(Query)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.clone().text())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Query::from(self.clone()).fmt(f)
    }
}
