//! The query language.
//!
//! ```text
//! metrics.val_loss.min < 0.1 and (params.lr between 1e-4 and 1e-2 or tags.model like 'cnn%')
//!     order by metrics.val_accuracy desc limit 10
//! ```
//!
//! | field | type |
//! |---|---|
//! | `metrics.NAME` or `metrics.NAME.PART`; `PART` is `last` (default), `first`, `min`, `max`, `mean`, `count`, `nan_count`, `argmin`, `argmax` | number |
//! | `metrics.NAME.at(STEP)`: the newest value at or before the step; null when there is none | number |
//! | `params.NAME` | what the runs hold: number, text or boolean |
//! | `tags.NAME` | text |
//! | `model.parameters`, `model.layers` | how many numbers the network learns, and how many layers it has |
//! | `id`, `name`, `model`, `parent` (the run on which it went on), `state` (or `status`: running, finished, stopped, failed, crashed), `damage` | text |
//! | `seed`, `seconds`, `steps`, `epochs`, `warnings` | number |
//! | `started_at` (or `started`) | time |
//!
//! `metric`, `param` and `tag` mean the same, and before the fields of the last three rows
//! `attribute.` or `attributes.` may stand. A name with other characters than letters, digits, `_`,
//! `-`, `/` and dots goes into backticks or double quotes: ``metrics.`top 5`.max`` or
//! `metrics."top 5".max`. The quote itself is doubled inside.
//! Upper and lower case differ in names of metrics, parameters and tags, and nowhere else in the
//! language.
//!
//! **Conditions**: `=` (or `==`), `!=` (or `<>`), `<`, `<=`, `>`, `>=`, `between A and B` (both
//! included), `in (A, B)`, `like 'cnn%'` (`%` any text, `_` any character, upper and lower case
//! differ; `\%`, `\_` and `\\` are the characters themselves), `ilike 'CNN%'` (they do not), `contains 'text'`, `is null` (or `is undefined`),
//! `is not null`; before `between`, `in`, `like`, `ilike` and `contains` a `not` may stand.
//! Conditions are joined by `and`, `or`, `not` and parentheses; `not` binds strongest, then `and`.
//!
//! **Values**: `3`, `1e-4`, `inf`, `-inf`, `'text'` or `"text"` (a quote inside is doubled),
//! `true`, `false`. Times are texts such as `'2026-11-25'` (the first moment of that day),
//! `'2026-11-25 10:00'` or `'2026-11-25T10:00:00+01:00'`, in UTC where they name no offset, and
//! `now`, `now - 2d` or `now - 1d12h` with the units `s`, `m` (minutes), `h`, `d` and `w`. Every
//! `now` in a query is the same moment. Times have an order but are never asked to be equal.
//!
//! **Points**: `any(metrics.loss > 10)` is true when some point of the metric is, unknown when the
//! run lacks the metric, and false otherwise. Inside stands a metric without a part, and a
//! comparison, `[not] between` or `[not] in`. NaN fulfils none of them. What the summary of a run
//! tells is answered from there; `=`, `between`, `in` and `at(STEP)` may have to read the points of
//! runs that the rest of the condition leaves open.
//!
//! Then **`order by`** `FIELD [asc|desc], …` and **`limit`** `N`, each optional, also without a
//! condition. Without `order by` the newest run comes first; with it, runs that lack the field come
//! last in either direction, and NaN just before them.
//!
//! **Missing fields** are null as in SQL: every comparison with null is unknown, `not` leaves
//! unknown unknown, and only runs whose condition is true are selected. So neither `params.lr > 1`
//! nor `not params.lr > 1` selects a run without `lr`; `params.lr is null` does. A comparison with
//! NaN is unknown as well, but NaN is not null; `metrics.loss.nan_count > 0` finds it.
//!
//! **Mistakes** are errors with the place and, for a name, the nearest one that exists: a field
//! that no run of the store has, a comparison of a number with a text, a state that does not exist,
//! `between` with the upper bound first. A mistyped name never gives an empty list. A parameter may
//! be a number in some runs and text in others; a comparison passes over those of the other type,
//! and [`Store::answer`](crate::Store::answer) says so.
//!
//! # The same in Rust
//!
//! [`metric`], [`param`], [`tag`] and the functions of [`field`] begin a condition, and
//! [`Store::select`](crate::Store::select) runs it. Names and values need no quoting, and what
//! makes no sense for a field is no method of it. `Display` gives the text of the query.
//!
//! ```
//! use std::time::Duration;
//! use trainbook_store::query::{ago, field, metric, param, tag};
//!
//! let good = metric("val_loss").min().less_than(0.1);
//! let query = good
//!     .and(param("lr").between(1e-4, 1e-2).or(tag("model").like("cnn%")))
//!     .and(!metric("loss").any().greater_than(10))
//!     .and(field::started_at().greater_than(ago(Duration::from_secs(2 * 86_400))))
//!     .order_by(metric("val_accuracy").last().descending())
//!     .limit(10);
//! assert_eq!(
//!     query.to_string(),
//!     "metrics.val_loss.min < 0.1 and (params.lr between 0.0001 and 0.01 or tags.model like 'cnn%') \
//!      and not any(metrics.loss > 10) and started_at > now - 2d order by metrics.val_accuracy.last desc limit 10"
//! );
//! ```

mod ast;
mod bind;
mod catalogue;
mod cell;
mod column;
mod condition;
mod error;
mod eval;
pub mod field;
#[cfg(test)]
mod fixture;
pub mod kind;
mod operand;
mod parse;
mod pattern;
mod points;
mod remarks;
mod render;
mod request;
mod time;
mod typed;

use crate::summary::RunSummary;

pub use condition::Condition;
pub use error::QueryError;
pub use operand::{Operand, ago};
pub use request::{Order, Query};
pub use typed::{Field, Metric, metric, param, tag};

pub(crate) use ast::Query as Parsed;
pub(crate) use column::Histories;
pub(crate) use eval::select;
pub(crate) use parse::parse;
pub(crate) use remarks::remarks;

/// What a query gives: summaries, or what else stands for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<R = RunSummary> {
    /// The runs that fit, in the order that was asked for, else newest first.
    pub runs: Vec<R>,
    /// What was passed over without being wrong, a sentence each: runs for which the condition is
    /// unknown because they hold a parameter as text that the query compares with a number, or the
    /// other way round. Empty where nothing was.
    pub remarks: Vec<String>,
}

#[cfg(test)]
mod tests;
