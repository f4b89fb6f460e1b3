//! What the page asks for, as JSON. Whoever has the token may ask too.
//!
//! | address | answer |
//! |---|---|
//! | `/api/runs?query=&order=&offset=&limit=` | a page of the table of runs; `order` is a field of the query language, with `desc` behind it or not |
//! | `/api/run/ID` | one run without its points |
//! | `/api/run/ID/metrics?name=A&name=B&points=N` | points of metrics, at most `N` of each (default 1,000, at most 2,000) |
//! | `/api/run/ID/object/HASH` | a file that the run refers to |
//! | `/api/diff/A/B` | what differs between two runs |
//!
//! `ID` may be a beginning of an id that no other run has. Whole numbers that may be too large for
//! JavaScript are text, and so are NaN and the infinities, except in points, where they are `null`.
//! An answer carries an `ETag`; asked again with it in `If-None-Match`, the board says 304 as long
//! as nothing changed. An error is `{"error": {"message": …}}`; for a query, with the place.

mod diff;
mod failure;
mod metrics;
mod number;
mod object;
mod run;
mod runs;
mod watch;

use trainbook_store::Store;

use crate::http::{Request, Response};
use diff::Diffs;
use failure::Failure;
use watch::Watch;

/// The store, and the runs that somebody looks at.
#[derive(Debug)]
pub(crate) struct Api {
    store: Store,
    watch: Watch,
    diffs: Diffs,
}

impl Api {
    pub(crate) fn new(store: Store) -> Api {
        Api { store, watch: Watch::default(), diffs: Diffs::default() }
    }

    /// The answer to a request for `path` below `/api/`; `None` if there is nothing there.
    pub(crate) fn answer(&self, path: &[&str], request: &Request) -> Option<Response> {
        let answer = match path {
            ["runs"] => runs::answer(&self.store, request),
            ["run", id] => run::answer(&self.store, &self.watch, id, request),
            ["run", id, "metrics"] => metrics::answer(&self.store, id, request),
            ["run", id, "object", object] => object::answer(&self.store, &self.watch, id, object),
            ["diff", a, b] => self.diffs.answer(&self.store, &self.watch, a, b, request),
            _ => return None,
        };
        Some(answer.unwrap_or_else(Failure::into_response))
    }
}
