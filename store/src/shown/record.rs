//! A run with everything that is known of it.

use std::fmt;

use super::parts::counted;
use super::summary::{part, row};
use crate::record::RunRecord;

/// How many events are shown, the newest of them.
const EVENTS: usize = 10;

impl fmt::Display for RunRecord {
    /// The summary; then what it was trained on, its callbacks, where it ran, and its newest events.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunRecord { summary, plan, recipe: _, environment, data, series: _, events, damage: _ } =
            self;
        summary.fmt(f)?;
        if !data.source.is_empty() || data.rows > 0 {
            writeln!(f, "data\n  {data}")?;
        }
        if !plan.is_empty() {
            writeln!(f, "callbacks")?;
            plan.iter().try_for_each(|callback| writeln!(f, "  {callback}"))?;
        }
        let place = environment.to_string();
        if !place.is_empty() {
            write!(f, "environment\n{place}")?;
        }
        if let Some(hidden) = events.len().checked_sub(EVENTS).filter(|hidden| *hidden > 0) {
            part(f, "events", &[row("…", counted(hidden as u64, "earlier event"))])?;
        } else if !events.is_empty() {
            writeln!(f, "events")?;
        }
        let newest = events.iter().skip(events.len().saturating_sub(EVENTS));
        newest.into_iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}
