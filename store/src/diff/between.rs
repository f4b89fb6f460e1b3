//! Comparing two runs.

use std::collections::BTreeSet;

use super::difference::{Difference, Group};
use super::flatten;
use super::run_diff::RunDiff;
use super::series::{self, same_bits};
use crate::error::Result;
use crate::record::RunRecord;
use crate::store::Store;
use crate::value::Value;

impl RunDiff {
    /// Compares everything that two runs recorded. Two NaN are equal; other numbers are equal when
    /// their bits are.
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
        let names: BTreeSet<&str> =
            a.series.keys().chain(b.series.keys()).map(|name| name.as_str()).collect();
        let (not_compared, compared): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| RunDiff::measures_time(name));
        let divergences = compared
            .into_iter()
            .filter_map(|name| series::divergence(name, points(a, name), points(b, name)));
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
                Group::Settings | Group::Data | Group::Code | Group::Machine => {
                    diff.causes.push(difference)
                }
                Group::Results => diff.results.push(difference),
                Group::Circumstances => diff.circumstances.push(difference),
            }
        }
        diff
    }
}

impl Store {
    /// Compares two runs, given by their ids, beginnings of them that no other run has, summaries or
    /// records.
    ///
    /// # Errors
    /// As [`run`](Store::run).
    pub fn diff(&self, a: impl AsRef<str>, b: impl AsRef<str>) -> Result<RunDiff> {
        Ok(RunDiff::between(&self.run(a)?, &self.run(b)?))
    }
}

/// Some differences follow from others and would make two causes of one.
fn drop_echoes(differences: &mut Vec<Difference>, a: &RunRecord, b: &RunRecord) {
    let same_data = a.data.hash == b.data.hash && !a.data.hash.is_empty();
    let diff_told = differences.iter().any(|difference| DIFF.contains(&difference.path.as_str()));
    differences.retain_mut(|difference| {
        let in_all = difference.a.is_some() && difference.b.is_some();
        if !is_echo(&difference.path, in_all, same_data, diff_told) {
            return true;
        }
        difference.group = Group::Circumstances;
        !difference.path.starts_with("plan.")
    });
    differences.sort_by(|a, b| a.group.cmp(&b.group).then_with(|| a.path.cmp(&b.path)));
}

/// Whether a difference in this field follows from another one. `same_data` if all runs saw the same
/// samples, `diff_told` if their changes to the code differ.
pub(crate) fn is_echo(path: &str, in_all: bool, same_data: bool, diff_told: bool) -> bool {
    match path {
        // The same samples from another place.
        "data.source" => same_data,
        // Only of runs that did not record how the files differ does it say anything.
        "environment.git_dirty" => diff_told,
        // That a callback is there at all is told by the list of their names.
        path => path.starts_with("plan.") && !in_all,
    }
}

/// The fields that tell how the files differ from the commit.
pub(crate) const DIFF: [&str; 2] = ["environment.git_diff", "environment.unknown.git_diff"];

fn points<'a>(record: &'a RunRecord, metric: &str) -> &'a [(u64, f64)] {
    record.series.get(metric).map_or(&[], Vec::as_slice)
}

fn not_known(a: &RunRecord, b: &RunRecord) -> Vec<String> {
    let (a, b) = (&a.environment.unknown, &b.environment.unknown);
    let of_code = ["git_commit", "git_diff"]
        .into_iter()
        .filter(|field| a.contains_key(*field) && b.contains_key(*field));
    of_code.map(|field| format!("environment.{field}")).collect()
}

pub(crate) fn equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Float(a)), Some(Value::Float(b))) => same_bits(*a, *b),
        (a, b) => a == b,
    }
}
