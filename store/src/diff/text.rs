//! A diff as text.

use std::fmt;

use super::difference::{Difference, Group};
use super::run_diff::RunDiff;
use super::series::Divergence;
use crate::text::{columns, short};
use crate::value::Value;

/// How many characters of a value are shown.
const WIDEST: usize = 40;

impl fmt::Display for RunDiff {
    /// A sentence, then a table of the causes and the most important results, then where the
    /// metrics part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a  {}\nb  {}\n", self.a, self.b)?;
        writeln!(f, "{}", self.sentence())?;
        let (results, more): (Vec<&Difference>, Vec<&Difference>) =
            self.results.iter().partition(|difference| is_important(&difference.path));
        let shown: Vec<&Difference> = self.causes.iter().chain(results).collect();
        table(f, &shown)?;
        if !more.is_empty() {
            writeln!(
                f,
                "\n{} more values of metrics and events differ; JSON lists them",
                more.len()
            )?;
        }
        if let Some(first) = self.first_divergence() {
            writeln!(f, "\nthe metrics part at step {}:", first.step)?;
            let rows: Vec<_> = self.divergences.iter().map(row).collect();
            columns(f, &rows)?;
        }
        if !self.not_compared.is_empty() {
            writeln!(
                f,
                "\nnot compared, because they measure time: {}",
                self.not_compared.join(", ")
            )?;
        }
        Ok(())
    }
}

impl RunDiff {
    /// What the diff comes to.
    pub fn sentence(&self) -> String {
        let invoked: Vec<&str> = ["environment.command_line", "environment.notebook_cell"]
            .into_iter()
            .filter(|path| self.circumstances.iter().any(|difference| difference.path == *path))
            .map(|path| if path.ends_with("cell") { "cells" } else { "command lines" })
            .collect();
        let also = if invoked.is_empty() {
            String::new()
        } else {
            format!(" (their {} differ too)", invoked.join(" and "))
        };
        let also = if self.not_known.is_empty() {
            also
        } else {
            format!(
                "{also}, as far as can be told: {} of neither run is known",
                self.not_known.join(" and ")
            )
        };
        match self.causes.as_slice() {
            [] if self.is_same() => {
                format!("nothing differs: the results are the same bit for bit{also}")
            }
            [] => format!(
                "the results differ, and yet settings, data, code and machine are the same{also}"
            ),
            [one] => format!("only {} differs{also}", one.path),
            several => {
                let mut groups: Vec<Group> =
                    several.iter().map(|difference| difference.group).collect();
                groups.dedup();
                let groups: Vec<&str> = groups.into_iter().map(Group::name).collect();
                format!("{} causes differ, in {}{also}", several.len(), groups.join(", "))
            }
        }
    }
}

impl Group {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Settings => "settings",
            Group::Data => "data",
            Group::Code => "code",
            Group::Machine => "machine",
            Group::Results => "results",
            Group::Circumstances => "circumstances",
        }
    }
}

/// Of a metric its last value; of events nothing, which follow from the metrics.
fn is_important(path: &str) -> bool {
    !path.starts_with("events.") && (!path.starts_with("metrics.") || path.ends_with(".last"))
}

fn table(f: &mut fmt::Formatter<'_>, differences: &[&Difference]) -> fmt::Result {
    for group in differences.chunk_by(|a, b| a.group == b.group) {
        let Some(first) = group.first() else { continue };
        writeln!(f, "\n{}", first.group.name())?;
        let value = |value: &Option<Value>| {
            value.as_ref().map_or("absent".to_owned(), |value| short(&value.to_string(), WIDEST))
        };
        let rows: Vec<_> = group
            .iter()
            .map(|difference| [difference.path.clone(), value(&difference.a), value(&difference.b)])
            .collect();
        columns(f, &rows)?;
    }
    Ok(())
}

fn row(divergence: &Divergence) -> [String; 3] {
    let value =
        |value: Option<f64>| value.map_or("absent".to_owned(), |value| format!("{value:?}"));
    [
        format!("{} at step {}", divergence.metric, divergence.step),
        value(divergence.a),
        value(divergence.b),
    ]
}
