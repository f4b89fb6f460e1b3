//! A record as a map from dotted paths to values.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use super::difference::Group;
use super::run_diff::RunDiff;
use crate::event::{Parent, PlannedCallback, RunEvent};
use crate::record::RunRecord;
use crate::summary::{Aggregate, RunSummary};
use crate::value::Value;

/// The values of a record by their places.
pub(crate) type Fields = BTreeMap<(Group, String), Value>;

/// Everything that a record holds but the points of its metrics.
///
/// The patterns name every field, so that a new one does not compile until it has its place here.
pub(crate) fn fields(record: &RunRecord) -> Fields {
    let mut fields = Fields::new();
    let RunRecord { summary, plan, recipe, environment, data, series: _, events, damage: _ } =
        record;
    summary_fields(summary, &mut fields);
    network_fields(recipe.as_deref(), &mut fields);
    plan_fields(plan, &mut fields);
    nest(&mut fields, &|_| Group::Data, "data", data);
    nest(&mut fields, &group_of, "environment", environment);
    // Times are never the same, and say nothing of what came out.
    let (costs, events): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| matches!(event.event, RunEvent::CallbackCosts { .. }));
    for event in costs {
        nest(&mut fields, &|_| Group::Circumstances, "costs", &event.event);
    }
    for (place, event) in events.into_iter().enumerate() {
        put(
            &mut fields,
            Group::Circumstances,
            format!("events.{place}.at"),
            text(event.at.to_string()),
        );
        nest(&mut fields, &group_of_event, &format!("events.{place}"), &event.event);
    }
    fields
}

/// The network layer by layer, in place of the one text that says it all: then a difference says
/// which layer differs. Whatever else a recipe holds is among the parameters too.
fn network_fields(recipe: Option<&str>, fields: &mut Fields) {
    let Some(network) = recipe
        .and_then(|recipe| serde_json::from_str::<Json>(recipe).ok())
        .and_then(|mut recipe| recipe.get_mut("network").map(Json::take))
    else {
        return;
    };
    fields.remove(&(Group::Settings, "model".to_owned()));
    nest_json(fields, &|_| Group::Settings, "network", &network);
}

fn summary_fields(summary: &RunSummary, fields: &mut Fields) {
    let RunSummary {
        id,
        name,
        state,
        started_at,
        seconds,
        seed,
        model,
        parent,
        params,
        tags,
        metrics,
        steps,
        epochs,
        warnings,
        damage,
    } = summary;
    put(fields, Group::Circumstances, "id", text(id.to_string()));
    put(fields, Group::Circumstances, "name", name.clone().map(Value::Text));
    put(fields, Group::Circumstances, "started_at", text(started_at.to_string()));
    put(fields, Group::Circumstances, "seconds", seconds.map(Value::Float));
    put(fields, Group::Settings, "seed", whole(*seed));
    put(fields, Group::Settings, "model", text(model.clone()));
    let parent = parent.as_ref().map(|Parent { run, step, resumed }| {
        let how = if *resumed { "resumed" } else { "continued" };
        format!("{run} {how} at step {step}")
    });
    put(fields, Group::Settings, "parent", parent.map(Value::Text));
    for (name, value) in params {
        put(fields, Group::Settings, format!("params.{name}"), Some(value.clone()));
    }
    for (name, value) in tags {
        put(fields, Group::Settings, format!("tags.{name}"), text(value.clone()));
    }
    put(fields, Group::Results, "state", text(state.name().to_owned()));
    put(fields, Group::Results, "state.why", state.reason().and_then(|why| text(why.to_owned())));
    put(fields, Group::Results, "steps", whole(*steps));
    put(fields, Group::Results, "epochs", whole(*epochs));
    put(fields, Group::Results, "warnings", whole(*warnings));
    put(fields, Group::Results, "damage", damage.clone().map(Value::Text));
    for (name, aggregate) in metrics {
        let group =
            if RunDiff::measures_time(name) { Group::Circumstances } else { Group::Results };
        let Aggregate { count, nan_count, first, last, min, max, mean, argmin, argmax } = aggregate;
        for (part, value) in
            [("first", first), ("last", last), ("min", min), ("max", max), ("mean", mean)]
        {
            put(fields, group, format!("metrics.{name}.{part}"), Some(Value::Float(*value)));
        }
        for (part, value) in
            [("count", count), ("nan_count", nan_count), ("argmin", argmin), ("argmax", argmax)]
        {
            put(fields, group, format!("metrics.{name}.{part}"), whole(*value));
        }
    }
}

/// The names and their order in one field, because that is one decision; then what each declares.
fn plan_fields(plan: &[PlannedCallback], fields: &mut Fields) {
    let names: Vec<&str> = plan.iter().map(|callback| callback.name.as_str()).collect();
    put(fields, Group::Settings, "plan", text(names.join(", ")));
    let mut seen: Vec<&str> = Vec::new();
    for PlannedCallback { name, phase, reads, writes } in plan {
        // By name and not by place: one callback more moves those behind it, which is no difference
        // of theirs.
        let earlier = seen.iter().filter(|earlier| *earlier == name).count();
        seen.push(name);
        let path = if earlier == 0 {
            format!("plan.{name}")
        } else {
            format!("plan.{name}.{}", earlier + 1)
        };
        let declared = format!("{phase}; reads {}; writes {}", reads.join(", "), writes.join(", "));
        put(fields, Group::Settings, path, text(declared));
    }
}

/// An exported file holds the id of its run, so its place and hash differ between any two runs.
/// What it computes is in the hash of the graph, which is a result like everything else that
/// happens.
fn group_of_event(path: &str) -> Group {
    if path.ends_with(".export.path") || path.ends_with(".export.sha256") {
        Group::Circumstances
    } else {
        Group::Results
    }
}

/// Where a field of the environment belongs. Whatever is not named here belongs to the machine.
fn group_of(path: &str) -> Group {
    let field = path.split('.').nth(1).unwrap_or_default();
    match field {
        "git_commit" | "git_dirty" | "git_diff" | "cargo_lock_hash" | "toolkit_version"
        | "features" | "rustc" | "target" | "target_features" | "build_profile" => Group::Code,
        // Untracked files are, if git is used well, what runs leave behind. The command line, the
        // notebook and its cell are how the settings came about, which are compared themselves.
        "process_id"
        | "host_name"
        | "command_line"
        | "notebook"
        | "notebook_file"
        | "notebook_cell"
        | "git_untracked"
        | "git_untracked_count" => Group::Circumstances,
        // Not to know whether the code is the same is a difference of the code, unless neither run
        // knows.
        "unknown" if path.starts_with("environment.unknown.git_untracked") => Group::Circumstances,
        "unknown" if path.starts_with("environment.unknown.git") => Group::Code,
        "unknown" => Group::Circumstances,
        _ => Group::Machine,
    }
}

/// Puts what a value holds under its path, and deeper values under longer paths. A list of texts is
/// one value.
fn nest(fields: &mut Fields, group: &dyn Fn(&str) -> Group, path: &str, value: &impl Serialize) {
    // Only values whose keys are no texts cannot be represented, and there are none in a record.
    if let Ok(json) = serde_json::to_value(value) {
        nest_json(fields, group, path, &json);
    }
}

fn nest_json(fields: &mut Fields, group: &dyn Fn(&str) -> Group, path: &str, json: &Json) {
    let value = match json {
        Json::Null => None,
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Some(Value::Int(value)),
            (None, Some(value)) => whole(value),
            (None, None) => number.as_f64().map(Value::Float),
        },
        Json::String(value) => text(value.clone()),
        Json::Array(values) if values.iter().all(Json::is_string) => {
            let texts: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
            Some(Value::Text(texts.join(" "))).filter(|_| !texts.is_empty())
        }
        Json::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                nest_json(fields, group, &format!("{path}.{place}"), value);
            }
            None
        }
        Json::Object(values) => {
            for (name, value) in values {
                nest_json(fields, group, &format!("{path}.{name}"), value);
            }
            None
        }
    };
    put(fields, group(path), path, value);
}

fn put(fields: &mut Fields, group: Group, path: impl Into<String>, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert((group, path.into()), value);
    }
}

fn text(text: String) -> Option<Value> {
    Some(Value::Text(text))
}

/// A number that no float may round: two seeds that differ must not look alike.
fn whole(number: u64) -> Option<Value> {
    Some(i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int))
}
