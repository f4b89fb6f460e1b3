//! What of a run is sent to MLflow, and in which portions.

use std::collections::HashMap;

use serde_json::{Value, json};
use smol_str::SmolStr;

use super::super::tree::non_finite;
use super::names::acceptable;
use crate::error::Result;
use crate::record::RunRecord;
use crate::summary::RunState;

/// The tag that says which run of a store this is.
pub(super) const RUN_ID: &str = "trainbook.run_id";
/// The tag that says what was pushed when a push last came to its end.
pub(super) const FINGERPRINT: &str = "trainbook.pushed";

/// MLflow's limits.
const LONGEST_PARAM: usize = 6_000;
const LONGEST_TAG: usize = 8_000;
const MOST_METRICS: usize = 1_000;
const MOST_PARAMS: usize = 100;
const MOST_TAGS: usize = 100;
/// A request may have a million characters. This is where a batch is closed, which one more item
/// cannot fill up.
const LARGEST: usize = 500_000;

/// What is sent, apart from the points.
pub(super) struct Content {
    pub(super) run_id: String,
    pub(super) run_name: String,
    pub(super) status: &'static str,
    /// Milliseconds since 1970.
    pub(super) start_time: i64,
    /// Milliseconds since 1970; `None` while it runs and when it crashed.
    pub(super) end_time: Option<i64>,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    /// What each metric is called there, if not the same.
    metric_names: HashMap<SmolStr, String>,
    pub(super) points: u64,
    /// A hash of all that is sent.
    pub(super) fingerprint: String,
    pub(super) notes: Vec<String>,
}

impl Content {
    pub(super) fn of(record: &RunRecord) -> Content {
        let run = &record.summary;
        let mut notes = Vec::new();
        let mut entry = |what: &str, name: &str, value: String, longest: usize| {
            let key = acceptable(name);
            if key != name {
                notes.push(format!("{what} {name:?} is called {key:?} there"));
            }
            let length = value.chars().count();
            if length <= longest {
                return (key, value);
            }
            notes.push(format!(
                "{what} {name:?} has {length} characters; the first {longest} are there"
            ));
            (key, value.chars().take(longest).collect())
        };
        let params = run.params.iter();
        let params = params
            .map(|(name, value)| entry("parameter", name, value.to_string(), LONGEST_PARAM))
            .collect();
        let own = own_tags(record);
        let given = run.tags.iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name));
        let given = given.map(|(name, value)| (name.as_str(), value.clone()));
        let tags = given.chain(own.iter().map(|(name, value)| (*name, value.clone())));
        let tags = tags.map(|(name, value)| entry("tag", name, value, LONGEST_TAG)).collect();
        let mut metric_names = HashMap::new();
        for name in record.series.keys() {
            let key = acceptable(name);
            if key != name.as_str() {
                notes.push(format!("metric {name:?} is called {key:?} there"));
                metric_names.insert(name.clone(), key);
            }
        }
        let status = match run.state {
            RunState::Finished | RunState::Stopped { .. } => "FINISHED",
            RunState::Failed { .. } => "FAILED",
            RunState::Crashed => "KILLED",
            RunState::Running => "RUNNING",
        };
        // MLflow takes no time before 1970.
        let start_time = run.started_at.as_millisecond().max(0);
        let mut content = Content {
            run_id: run.id.to_string(),
            run_name: run.name.clone().unwrap_or_else(|| run.id.to_string()),
            status,
            start_time,
            end_time: run.seconds.map(|seconds| start_time.saturating_add((seconds * 1e3) as i64)),
            params,
            tags,
            metric_names,
            points: record.series.values().map(|series| series.len() as u64).sum(),
            fingerprint: String::new(),
            notes,
        };
        let infinite =
            record.series.values().flatten().filter(|point| point.1.is_infinite()).count();
        if infinite > 0 {
            content
                .notes
                .push(format!("{infinite} infinite points are stored as the largest number there"));
        }
        content.fingerprint = content.hash(record);
        content
    }

    fn hash(&self, record: &RunRecord) -> String {
        let mut hasher = blake3::Hasher::new();
        let rest = json!([
            self.run_name,
            self.status,
            self.start_time,
            self.end_time,
            self.params,
            self.tags
        ]);
        hasher.update(rest.to_string().as_bytes());
        for (name, series) in &record.series {
            hasher.update(format!("\n{name}\n{}\n", series.len()).as_bytes());
            for (step, value) in series {
                hasher.update(&step.to_le_bytes());
                hasher.update(&value.to_bits().to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Hands the requests that carry everything to `send`, one after the other, and stops at its
    /// first error.
    pub(super) fn batches(
        &self,
        record: &RunRecord,
        mlflow_run: &str,
        mut send: impl FnMut(String) -> Result<()>,
    ) -> Result<()> {
        let pair = |(key, value): &(String, String)| json!({"key": key, "value": value});
        batches(mlflow_run, "params", MOST_PARAMS, self.params.iter().map(pair), &mut send)?;
        batches(mlflow_run, "tags", MOST_TAGS, self.tags.iter().map(pair), &mut send)?;
        let metrics = record.series.iter().flat_map(|(name, series)| {
            let key = self.metric_names.get(name).map_or(name.as_str(), String::as_str);
            let mut seen: HashMap<u64, i64> = HashMap::new();
            series.iter().map(move |&(step, value)| {
                let times = seen.entry(step).or_insert(-1);
                *times += 1;
                let value = if value.is_finite() { json!(value) } else { json!(non_finite(value)) };
                json!({"key": key, "value": value, "timestamp": self.start_time + *times, "step": step})
            })
        });
        batches(mlflow_run, "metrics", MOST_METRICS, metrics, &mut send)
    }
}

/// The tags that tell what MLflow has no place for.
fn own_tags(record: &RunRecord) -> Vec<(&'static str, String)> {
    let run = &record.summary;
    let mut tags = vec![
        (RUN_ID, run.id.to_string()),
        ("trainbook.state", run.state.name().to_owned()),
        ("trainbook.seed", run.seed.to_string()),
        ("trainbook.steps", run.steps.to_string()),
        ("trainbook.epochs", run.epochs.to_string()),
        ("trainbook.warnings", run.warnings.to_string()),
        ("trainbook.model", run.model.clone()),
        ("trainbook.data_source", record.data.source.clone()),
        ("trainbook.data_hash", record.data.hash.clone()),
        ("trainbook.version", record.environment.toolkit_version.clone()),
    ];
    let optional = [
        ("trainbook.reason", run.state.reason().map(str::to_owned)),
        ("trainbook.damage", run.damage.clone()),
        ("trainbook.parent", run.parent.as_ref().map(|parent| parent.run.to_string())),
        ("mlflow.source.git.commit", record.environment.git_commit.clone()),
    ];
    tags.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    tags.retain(|(_, value)| !value.is_empty());
    tags
}

/// Requests with at most `most` items each.
fn batches(
    run: &str,
    field: &str,
    most: usize,
    items: impl Iterator<Item = Value>,
    send: &mut impl FnMut(String) -> Result<()>,
) -> Result<()> {
    let open = format!("{{\"run_id\":{},\"{field}\":[", Value::from(run));
    let (mut batch, mut count) = (open.clone(), 0);
    for item in items {
        if count > 0 {
            batch.push(',');
        }
        batch.push_str(&item.to_string());
        count += 1;
        if count == most || batch.len() > LARGEST {
            batch.push_str("]}");
            send(std::mem::replace(&mut batch, open.clone()))?;
            count = 0;
        }
    }
    if count == 0 {
        return Ok(());
    }
    batch.push_str("]}");
    send(batch)
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    /// Every request, read back.
    fn requests(record: &RunRecord) -> Vec<Value> {
        let mut requests = Vec::new();
        let send = |batch: String| {
            assert!(batch.len() < 1_000_000);
            requests.push(serde_json::from_str(&batch).unwrap());
            Ok(())
        };
        Content::of(record).batches(record, "r", send).unwrap();
        requests
    }

    fn items<'a>(requests: &'a [Value], field: &str) -> Vec<&'a Value> {
        requests.iter().filter_map(|request| request[field].as_array()).flatten().collect()
    }

    #[test]
    fn batches_keep_the_limits_and_lose_nothing() {
        let points: Vec<_> = (0..2_500).map(|step| ("loss", step, step as f64)).collect();
        let names: Vec<_> = (0..250).map(|at| format!("p{at:03}")).collect();
        let long = "é".repeat(5_999);
        let params: Vec<_> =
            names.iter().map(|name| (name.as_str(), long.as_str().into())).collect();
        let requests = requests(&samples::record(1, &params, &points));
        for (field, most, all) in [("metrics", 1_000, 2_500), ("params", 100, 250)] {
            let sizes: Vec<_> =
                requests.iter().filter_map(|r| r[field].as_array()).map(Vec::len).collect();
            assert!(sizes.iter().all(|size| *size <= most), "{field}: {sizes:?}");
            assert_eq!(sizes.iter().sum::<usize>(), all);
        }
        let steps: Vec<_> =
            items(&requests, "metrics").iter().map(|item| item["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, (0..2_500).collect::<Vec<_>>());
        assert!(requests.iter().all(|request| request["run_id"] == "r"));
    }

    #[test]
    fn a_point_at_a_step_that_came_before_is_a_millisecond_later() {
        let requests = requests(&samples::odd());
        let metrics = items(&requests, "metrics");
        let start = 1_795_475_052_250_i64;
        let loss = |at: usize| {
            (metrics[at]["value"].clone(), metrics[at]["timestamp"].as_i64().unwrap() - start)
        };
        assert_eq!(loss(1), ("NaN".into(), 0));
        assert_eq!(loss(2), ("Infinity".into(), 1));
        assert_eq!(loss(3), ("-Infinity".into(), 0));
    }

    #[test]
    fn what_mlflow_does_not_take_is_changed_and_told() {
        let long = "x".repeat(6_001);
        let record = samples::record(
            1,
            &[("a%", 1.into()), ("long", long.into())],
            &[("loss (val)", 1, 1.0)],
        );
        let content = Content::of(&record);
        let notes = content.notes.join("\n");
        assert!(notes.contains("parameter \"a%\" is called \"a__"), "{notes}");
        assert!(
            notes.contains("parameter \"long\" has 6001 characters; the first 6000 are there"),
            "{notes}"
        );
        assert!(notes.contains("metric \"loss (val)\" is called \"loss _val__"), "{notes}");
        assert_eq!(content.params[1].1.len(), 6_000);
        assert!(Content::of(&samples::odd()).notes.concat().contains("2 infinite points"));
    }

    #[test]
    fn a_tag_of_ours_wins_over_a_given_one() {
        let mut record = samples::odd();
        record.summary.tags.insert(RUN_ID.into(), "mine".to_owned());
        let requests = requests(&record);
        let tags: Vec<_> =
            items(&requests, "tags").into_iter().filter(|tag| tag["key"] == RUN_ID).collect();
        assert_eq!(tags.len(), 1);
        assert_eq!(tags[0]["value"], record.summary.id.as_str());
    }

    #[test]
    fn the_fingerprint_changes_with_anything_that_is_sent() {
        let of = |record: &RunRecord| Content::of(record).fingerprint;
        let record = samples::odd();
        assert_eq!(of(&record), of(&samples::odd()));
        let mut other = record.clone();
        other.series.get_mut("loss").unwrap()[1].1 = 0.0;
        assert_ne!(of(&record), of(&other));
        let mut other = record.clone();
        other.summary.state = RunState::Finished;
        assert_ne!(of(&record), of(&other));
    }
}
