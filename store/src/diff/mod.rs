//! What differs between two runs.
//!
//! Every field of a record is compared, and each belongs to one [`Group`]. *Causes* are what was put into a run: settings,
//! data, code, machine. *Results* are what came out. *Circumstances* differ between any two runs, or say again what the causes
//! say; they are kept apart, so that "only `lr` differs" can be said of two runs of which that is true.
//!
//! A field that nobody thought of cannot be missed: records are taken apart field by field, and a new field of
//! [`Environment`](crate::Environment) belongs to the machine until `flatten.rs` says otherwise.

mod flatten;
mod series;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use series::Divergence;

use crate::error::Result;
use crate::record::RunRecord;
use crate::run_id::RunId;
use crate::store::Store;
use crate::value::Value;

/// What differs between two runs, `a` and `b`. As text, a sentence and a table.
///
/// The order is fixed: by group, then by path. Comparing a run with itself gives nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDiff {
    /// The first run.
    pub a: RunId,
    /// The second run.
    pub b: RunId,
    /// What was put into the runs and differs: settings, data, code, machine.
    pub causes: Vec<Difference>,
    /// What came out and differs: how the runs ended, their metrics and events.
    pub results: Vec<Difference>,
    /// What differs and explains nothing: ids, times, processes, and the command lines and cells that led to the causes.
    pub circumstances: Vec<Difference>,
    /// Where each metric differs for the first time, by name. Metrics that measure time are not in it.
    pub divergences: Vec<Divergence>,
    /// Fields of the code that neither run knows, for example because its changes were too large to keep. Whether they differ
    /// cannot be told.
    pub not_known: Vec<String>,
    /// The metrics that measure time, whose points were not compared; see [`RunDiff::measures_time`].
    pub not_compared: Vec<String>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field: `params.lr`, `data.hash`, `environment.git_commit`, `metrics.loss.min`.
    pub path: String,
    /// What kind of thing it is.
    pub group: Group,
    /// Its value in the first run; absent if it has none, which is not the same as any value. NaN is `null` in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value>,
    /// Its value in the second run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value>,
}

/// The kinds of things that a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Parameters, seed, model, plan, tags.
    Settings,
    /// What was trained on.
    Data,
    /// The commit, its changes, the lock file, and how trainbook was built.
    Code,
    /// Processor, cards, memory, threads, system.
    Machine,
    /// How the run ended, metrics, events.
    Results,
    /// What differs between any two runs.
    Circumstances,
}

impl RunDiff {
    /// Compares everything that two runs recorded. Two NaN are equal; other numbers are equal when their bits are.
    pub fn between(a: &RunRecord, b: &RunRecord) -> RunDiff {
        let (fields_a, fields_b) = (flatten::fields(a), flatten::fields(b));
        let paths: BTreeSet<&(Group, String)> = fields_a.keys().chain(fields_b.keys()).collect();
        let mut differences = Vec::new();
        for path in paths {
            let (a, b) = (fields_a.get(path), fields_b.get(path));
            if !equal(a, b) {
                let (group, path) = path.clone();
                differences.push(Difference { path, group, a: a.cloned(), b: b.cloned() });
            }
        }
        drop_echoes(&mut differences, a, b);
        let names: BTreeSet<&str> = a.series.keys().chain(b.series.keys()).map(|name| name.as_str()).collect();
        let (not_compared, compared): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| RunDiff::measures_time(name));
        let divergences =
            compared.into_iter().filter_map(|name| series::divergence(name, points(a, name), points(b, name)));
        let mut diff = RunDiff {
            a: a.summary.id.clone(),
            b: b.summary.id.clone(),
            causes: Vec::new(),
            results: Vec::new(),
            circumstances: Vec::new(),
            divergences: divergences.collect(),
            not_known: not_known(a, b),
            not_compared: not_compared.into_iter().map(str::to_owned).collect(),
        };
        for difference in differences {
            match difference.group {
                Group::Settings | Group::Data | Group::Code | Group::Machine => diff.causes.push(difference),
                Group::Results => diff.results.push(difference),
                Group::Circumstances => diff.circumstances.push(difference),
            }
        }
        diff
    }

    /// The cause that differs, if it is the only one and that is [known](RunDiff::not_known): proof that whatever else differs
    /// comes from it, or from chance.
    pub fn one_variable(&self) -> Option<&Difference> {
        match self.causes.as_slice() {
            [one] if self.not_known.is_empty() => Some(one),
            _ => None,
        }
    }

    /// Whether nothing differs but circumstances: the second run repeated the first bit for bit.
    pub fn is_same(&self) -> bool {
        self.causes.is_empty() && self.results.is_empty() && self.divergences.is_empty()
    }

    /// The first step at which the runs differ in any metric; of several metrics the first by name.
    pub fn first_divergence(&self) -> Option<&Divergence> {
        self.divergences.iter().min_by_key(|divergence| divergence.step)
    }

    /// Whether a metric of this name measures time, so that it differs between any two runs. It does if a word of the name
    /// (words are separated by `_`, `-`, `/`, `.` and spaces) is `time`, `duration`, `elapsed`, `latency`, `throughput`, `ms`,
    /// `sec`, `secs`, `second`, `seconds`, `minutes` or `hours`: `epoch_seconds`, `samples_per_second`, `time/step`. Such a
    /// metric is a circumstance, and its points are not compared.
    pub fn measures_time(metric: &str) -> bool {
        const WORDS: [&str; 12] = [
            "time",
            "duration",
            "elapsed",
            "latency",
            "throughput",
            "ms",
            "sec",
            "secs",
            "second",
            "seconds",
            "minutes",
            "hours",
        ];
        metric.split(['_', '-', '/', '.', ' ']).any(|word| WORDS.contains(&word.to_lowercase().as_str()))
    }
}

impl Store {
    /// Compares two runs, given by their ids or beginnings of them that no other run has.
    ///
    /// # Errors
    /// As [`run`](Store::run).
    pub fn diff(&self, a: &str, b: &str) -> Result<RunDiff> {
        Ok(RunDiff::between(&self.run(a)?, &self.run(b)?))
    }
}

/// The values of a record by their places.
type Fields = BTreeMap<(Group, String), Value>;

/// Some differences follow from others and would make two causes of one.
fn drop_echoes(differences: &mut Vec<Difference>, a: &RunRecord, b: &RunRecord) {
    // That a callback is there at all is told by the list of their names.
    differences.retain(|difference| {
        !difference.path.starts_with("plan.") || (difference.a.is_some() && difference.b.is_some())
    });
    let same_data = a.data.hash == b.data.hash && !a.data.hash.is_empty();
    let diff_told = differences
        .iter()
        .any(|difference| matches!(difference.path.as_str(), "environment.git_diff" | "environment.unknown.git_diff"));
    for difference in differences.iter_mut() {
        match difference.path.as_str() {
            // The same samples from another place.
            "data.source" if same_data => difference.group = Group::Circumstances,
            // Only of runs that did not record how the files differ does it say anything.
            "environment.git_dirty" if diff_told => difference.group = Group::Circumstances,
            _ => {}
        }
    }
    differences.sort_by(|a, b| a.group.cmp(&b.group).then_with(|| a.path.cmp(&b.path)));
}

fn points<'a>(record: &'a RunRecord, metric: &str) -> &'a [(u64, f64)] {
    record.series.get(metric).map_or(&[], Vec::as_slice)
}

fn not_known(a: &RunRecord, b: &RunRecord) -> Vec<String> {
    let (a, b) = (&a.environment.unknown, &b.environment.unknown);
    let of_code =
        ["git_commit", "git_diff"].into_iter().filter(|field| a.contains_key(*field) && b.contains_key(*field));
    of_code.map(|field| format!("environment.{field}")).collect()
}

fn equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Float(a)), Some(Value::Float(b))) => same_bits(*a, *b),
        (a, b) => a == b,
    }
}

fn same_bits(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[cfg(test)]
mod tests;
