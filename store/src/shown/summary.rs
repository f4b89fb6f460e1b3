//! A run as a list knows it, and a list.

use std::borrow::Borrow;
use std::fmt;

use super::parts::{WIDEST, counted, number, time};
use crate::amount::count;
use crate::event::Counters;
use crate::query::Answer;
use crate::summary::{Aggregate, RunSummary};
use crate::text::{columns, duration, line, short};

/// How many characters of a name or a network a list shows.
const NARROW: usize = 32;

impl fmt::Display for RunSummary {
    /// The id, what became of it and its name; then what is known of it, a line each; then its
    /// parameters, tags and metrics.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.id, self.state)?;
        match &self.name {
            Some(name) => writeln!(f, "  {}", short(name, WIDEST))?,
            None => writeln!(f)?,
        }
        let took = self.seconds.map(|seconds| format!(", took {}", duration(seconds)));
        let counters = Counters { steps: self.steps, epochs: self.epochs };
        let mut rows = vec![
            row("started", time(self.started_at) + &took.unwrap_or_default()),
            row("trained", counters.to_string()),
            row("model", short(&self.model, WIDEST)),
            row("seed", self.seed.to_string()),
        ];
        rows.extend(self.parent.as_ref().map(|parent| row("went on with", parent.to_string())));
        if self.warnings > 0 {
            rows.push(row("warnings", self.warnings.to_string()));
        }
        rows.extend(self.damage.as_deref().map(|damage| row("damage", line(damage))));
        rows.retain(|[_, value]| !value.is_empty());
        columns(f, &rows)?;
        let params = self.params.iter();
        let params: Vec<[String; 2]> =
            params.map(|(name, value)| row(name, short(&value.to_string(), WIDEST))).collect();
        part(f, "parameters", &params)?;
        let tags: Vec<[String; 2]> =
            self.tags.iter().map(|(name, value)| row(name, short(value, WIDEST))).collect();
        part(f, "tags", &tags)?;
        if self.metrics.is_empty() {
            return Ok(());
        }
        let head = ["metrics", "last", "min", "at step", "max", "at step", "points"];
        let mut rows = vec![head.map(str::to_owned)];
        for (name, whole) in &self.metrics {
            let Aggregate { count, nan_count, last, min, max, argmin, argmax, .. } = whole;
            let points = match nan_count {
                0 => count.to_string(),
                nan => format!("{count}, {nan} NaN"),
            };
            let (argmin, argmax) = (argmin.to_string(), argmax.to_string());
            let [last, min, max] = [*last, *min, *max].map(number);
            rows.push([short(name, NARROW), last, min, argmin, max, argmax, points]);
        }
        columns(f, &rows)
    }
}

pub(super) fn row(name: &str, value: String) -> [String; 2] {
    [short(name, NARROW), value]
}

/// A heading and rows, unless there are none.
pub(super) fn part(f: &mut fmt::Formatter<'_>, heading: &str, rows: &[[String; 2]]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "{heading}")?;
    columns(f, rows)
}

impl<R: Borrow<RunSummary>> fmt::Display for Answer<R> {
    /// A line for each run, how many there are, and the remarks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 6]> = self
            .runs
            .iter()
            .map(|run| {
                let run: &RunSummary = run.borrow();
                [
                    run.id.to_string(),
                    run.state.name().to_owned(),
                    time(run.started_at),
                    run.seconds.map(duration).unwrap_or_default(),
                    counted(run.steps, "step"),
                    short(run.name.as_deref().unwrap_or(&run.model), NARROW),
                ]
            })
            .collect();
        columns(f, &rows)?;
        writeln!(f, "{}", count(self.runs.len(), "run"))?;
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{}", line(remark)))
    }
}
