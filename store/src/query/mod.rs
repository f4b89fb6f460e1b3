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
//! | `params.NAME` | what the runs hold: number, text or boolean |
//! | `tags.NAME` | text |
//! | `id`, `name`, `model`, `state` (or `status`: running, finished, stopped, failed, crashed) | text |
//! | `seed`, `seconds`, `steps`, `epochs` | number |
//!
//! `metric`, `param` and `tag` mean the same. A name with other characters than letters, digits, `_`, `-`, `/` and dots goes
//! into backticks: ``metrics.`top 5`.max``.
//!
//! Conditions: `=` (or `==`), `!=` (or `<>`), `<`, `<=`, `>`, `>=`, `between A and B` (both included), `in (A, B)`,
//! `like 'cnn%'` (`%` any text, `_` any character, upper and lower case differ), `contains 'text'`, `is null`,
//! `is not null`; before `between`, `in`, `like` and `contains` a `not` may stand. Conditions are joined by `and`, `or`,
//! `not` and parentheses; `not` binds strongest, then `and`. Values: `3`, `1e-4`, `'text'` or `"text"` (a quote inside is
//! doubled), `true`, `false`. Words of the language may be written in upper or lower case.
//!
//! Then `order by FIELD [asc|desc], …` and `limit N`, each optional, also without a condition. Without `order by` the newest
//! run comes first; with it, runs that lack the field come last in either direction, and NaN just before them.
//!
//! **Missing fields** are null as in SQL: every comparison with null is unknown, `not` leaves unknown unknown, and only runs
//! whose condition is true are selected. So neither `params.lr > 1` nor `not params.lr > 1` selects a run without `lr`;
//! `params.lr is null` does. A comparison with NaN is unknown as well, but NaN is not null.
//!
//! **Mistakes** are errors with the place and, for a name, the nearest one that exists: a field that no run of the store
//! has, a comparison of a number with a text, a state that does not exist. A mistyped name never gives an empty list.

mod ast;
mod bind;
mod error;
mod eval;
mod parse;

pub use error::QueryError;

pub(crate) use eval::select;
pub(crate) use parse::parse;
