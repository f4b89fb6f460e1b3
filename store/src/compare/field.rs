//! The fields that differ between several runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::diff::Group;
use crate::diff::between::{DIFF, equal, is_echo};
use crate::diff::flatten::Fields;
use crate::run_id::RunId;
use crate::value::Value;

/// A field that is not the same in all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedField {
    /// The field: `params.lr`, `data.hash`, `environment.git_commit`, `state`.
    pub path: String,
    /// What kind of thing it is.
    pub group: Group,
    /// Its value in each run that has it. NaN is `null` in JSON.
    pub values: BTreeMap<RunId, Value>,
}

/// The fields that differ, by group and then by path, and how many are the same in all runs. Metrics
/// and events are not among them, nor circumstances.
pub(super) fn compare(runs: &[(RunId, Fields)]) -> (Vec<ComparedField>, usize) {
    let keys: BTreeSet<&(Group, String)> = runs
        .iter()
        .flat_map(|(_, fields)| fields.keys())
        .filter(|(group, path)| match group {
            Group::Settings | Group::Data | Group::Code | Group::Machine => true,
            Group::Results => !path.starts_with("metrics.") && !path.starts_with("events."),
            Group::Circumstances => false,
        })
        .collect();
    let differs = |key: &(Group, String)| {
        let mut values = runs.iter().map(|(_, fields)| fields.get(key));
        let first = values.next().flatten();
        values.any(|value| !equal(first, value))
    };
    let of_group = |group: Group, path: &str| (group, path.to_owned());
    let hash = of_group(Group::Data, "data.hash");
    let same_data = !differs(&hash)
        && runs.iter().any(|(_, fields)| match fields.get(&hash) {
            Some(Value::Text(hash)) => !hash.is_empty(),
            _ => false,
        });
    let diff_told = DIFF.iter().any(|path| differs(&of_group(Group::Code, path)));
    let (mut fields, mut same) = (Vec::new(), 0);
    for key in keys {
        if !differs(key) {
            same += 1;
            continue;
        }
        let values: BTreeMap<RunId, Value> = runs
            .iter()
            .filter_map(|(id, fields)| Some((id.clone(), fields.get(key)?.clone())))
            .collect();
        let (group, path) = key.clone();
        if !is_echo(&path, values.len() == runs.len(), same_data, diff_told) {
            fields.push(ComparedField { path, group, values });
        }
    }
    (fields, same)
}
