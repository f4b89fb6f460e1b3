use super::*;
use crate::event::{DataFingerprint, EndState, Metric, RunEnd, RunStart};
use crate::record::RunRecord;
use crate::{Environment, Group, RunWriter, Store, StoreError, Value};

/// Ids that a table can be compared with, for they have the same width.
fn named(text: &str, comparison: &Comparison) -> String {
    let mut text = text.to_owned();
    for (place, run) in comparison.runs.iter().enumerate() {
        text = text.replace(&format!("<the id of run {place}>"), run.id.as_str());
    }
    text
}

fn begin(lr: f64) -> RunStart {
    RunStart {
        params: [("lr".into(), lr.into()), ("epochs".into(), 3.into())].into(),
        data: DataFingerprint { source: "digits.csv".into(), rows: 10, hash: "ab".into() },
        environment: Environment { os: "linux".into(), threads: 2, ..Environment::default() },
        model: "mlp".into(),
        ..RunStart::default()
    }
}

fn run(store: &Store, start: RunStart, losses: &[f64]) -> RunWriter {
    let run = store.start_run(start).unwrap();
    for (step, loss) in (1..).zip(losses) {
        let seconds = run.id().started_at().as_second() as f64;
        let metrics = [
            Metric::new("loss", *loss),
            Metric::new("same", 1.0),
            Metric::new("epoch_seconds", seconds * loss),
        ];
        run.log(step, &metrics);
    }
    run
}

fn finished(store: &Store, start: RunStart, losses: &[f64]) -> String {
    let run = run(store, start, losses);
    run.finish(RunEnd::new(EndState::Finished, losses.len() as u64, 1)).unwrap();
    run.id().to_string()
}

#[test]
fn what_differs_stands_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let a = finished(&store, begin(1e-3), &[1.0, 0.4]);
    let name = Some("second\ttry".to_owned());
    let tags = [("kind".into(), "trial of a text that is much too long".to_owned())].into();
    let b = finished(&store, RunStart { name, tags, seed: 7, ..begin(1e-2) }, &[1.0, 0.2]);
    let last = run(&store, begin(0.1), &[1.0, f64::NAN]);
    last.log(2, &[Metric::new("accuracy", 0.123456789)]);
    last.finish(RunEnd::new(EndState::Failed { error: "NaN".into() }, 2, 1)).unwrap();
    let c = last.id().to_string();
    // However a run is named, and each once.
    let by_prefix = store.compare([&a[..], &b, &c[..21], &b]).unwrap();
    let records: Vec<RunRecord> = [&a, &b, &c].map(|id| store.run(id).unwrap()).into();
    let summaries = records.iter().map(|record| &record.summary);
    let comparison = store.compare(summaries).unwrap();
    // NaN is not equal to itself.
    assert_eq!(format!("{comparison:?}"), format!("{by_prefix:?}"));
    assert_eq!(format!("{comparison:?}"), format!("{:?}", Comparison::between(&records).unwrap()));
    let expected = "  a  <the id of run 0>  finished
  b  <the id of run 1>  finished  second try
  c  <the id of run 2>  failed

                 a         b                         c
settings
  params.lr      0.001     0.01                      0.1
  seed           0         7                         0
  tags.kind      absent    trial of a text that is…  absent
results
  state          finished  finished                  failed
  state.why      absent    absent                    NaN
metrics, those that differ most first
  loss last      0.4       0.2                       NaN
  loss min       0.4       0.2                       1.0
  accuracy last  absent    absent                    0.123457

the same in all: 16 fields, 1 metric
not compared, because they measure time: epoch_seconds
";
    assert_eq!(comparison.to_string(), named(expected, &comparison));
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["fields"][0]["path"], "params.lr");
    assert_eq!(json["fields"][0]["values"][&b], 0.01);
    assert_eq!(json["fields"][2]["values"].as_object().unwrap().len(), 1);
    assert_eq!(json["metrics"][0]["spread"], serde_json::Value::Null);
    assert_eq!(json["metrics"][0]["values"][&a]["min"], 0.4);
    assert_eq!(comparison.metrics[0].spread, Some(f64::INFINITY));
    assert_eq!(comparison.metrics[1].spread, None);
}

#[test]
fn the_metrics_that_differ_most_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let ids = [1.0, 3.0].map(|factor| {
        let run = store.start_run(begin(1e-3)).unwrap();
        let metrics = [
            Metric::new("a little", 100.0 + factor),
            Metric::new("much", 0.01 * factor),
            Metric::new("hidden", 1.0 + factor * 1e-12),
            Metric::new("not at all", 5.0),
        ];
        run.log(1, &metrics);
        // Whose end is the same, and whose peak is not.
        run.log(1, &[Metric::new("peak", 1.0 + factor)]);
        run.log(2, &[Metric::new("peak", 0.5)]);
        run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
        run.id().to_string()
    });
    let comparison = store.compare(&ids).unwrap();
    let order: Vec<&str> = comparison.metrics.iter().map(|metric| metric.metric.as_str()).collect();
    assert_eq!(order, ["much", "peak", "a little", "hidden"]);
    let close = |place: usize, spread: f64| {
        let found = comparison.metrics[place].spread.unwrap();
        assert!((found - spread).abs() < 1e-12, "{found}");
    };
    close(0, 1.0);
    close(1, 2.0 / 3.0);
    close(2, 2.0 / 102.0);
    assert!(comparison.fields.is_empty() && comparison.same_metrics == 1);
    let text = comparison.to_string();
    // The peak's end is left out, and what the rounding would hide is not rounded.
    assert!(text.contains("  peak max       2.0             4.0\n"), "{text}");
    assert!(!text.contains("peak last"), "{text}");
    assert!(text.contains("  hidden last    1.000000000001  1.000000000003\n"), "{text}");
    let only = comparison.clone().only(&["peak", "not at all"]).unwrap();
    assert_eq!((only.metrics.len(), only.same_metrics), (1, 1));
    let error = comparison.clone().only(&["peek"]).unwrap_err().to_string();
    assert_eq!(error, "find metric \"peek\" in any of the runs: the nearest is peak");
    let curves: Vec<&str> = comparison.curves().map(|name| name.as_str()).collect();
    assert_eq!(curves, ["much", "peak", "a little", "hidden", "not at all"]);
}

#[test]
fn curves_are_thinned_and_only_of_runs_that_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let losses: Vec<f64> = (0..5_000).map(|step| (f64::from(step) * 0.1).sin()).collect();
    let a = finished(&store, begin(0.1), &losses);
    let b = finished(&store, begin(0.1), &[]);
    let c = finished(&store, begin(0.1), &losses[..10]);
    let comparison = store.compare([&a, &b, &c]).unwrap();
    let series = comparison.series("loss").unwrap();
    let ids: Vec<&str> = series.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [&a, &c]);
    let of = |id: &str| store.history(id, "loss", 2_000).unwrap();
    assert_eq!((&series[0].1, &series[1].1), (&of(&a), &of(&c)));
    assert!(matches!(comparison.series("lsos"), Err(StoreError::UnknownMetricOfAll { .. })));
}

#[test]
fn one_run_is_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let id = finished(&store, begin(0.1), &[1.0]);
    let told = |found: StoreError| found.to_string();
    assert_eq!(
        told(store.compare([&id, &id]).unwrap_err()),
        "compare runs: 1 of them was given, and it takes two"
    );
    let none: [&str; 0] = [];
    assert!(matches!(store.compare(none), Err(StoreError::TooFewRuns { found: 0 })));
    assert!(matches!(store.compare(["nope", &id]), Err(StoreError::UnknownRun { .. })));
    let other = finished(&store, begin(0.1), &[1.0]);
    let same = store.compare([&id, &other]).unwrap();
    assert!(same.fields.is_empty() && same.metrics.is_empty());
    assert!(same.to_string().contains("\n\nthe same in all: 19 fields, 2 metrics\n"), "{same}");
}

/// What follows from another difference is no difference of its own.
#[test]
fn echoes_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let with = |source: &str, dirty: bool, callbacks: &[&str]| {
        let mut start = begin(0.1);
        start.data.source = source.into();
        start.environment.git_dirty = Some(dirty);
        start.environment.git_diff = dirty.then(|| crate::ObjectId::of(b"diff"));
        start.environment.process_id = std::process::id();
        let planned =
            |name: &&str| crate::PlannedCallback { name: (*name).to_owned(), ..Default::default() };
        start.plan = callbacks.iter().map(planned).collect();
        finished(&store, start, &[1.0])
    };
    let ids = [
        with("here", true, &["Clip", "Stop"]),
        with("there", false, &["Clip"]),
        with("here", true, &["Clip"]),
    ];
    let paths = |ids: &[String]| -> Vec<(Group, String)> {
        let fields = store.compare(ids).unwrap().fields;
        fields.into_iter().map(|field| (field.group, field.path)).collect()
    };
    let expected = [(Group::Settings, "plan"), (Group::Code, "environment.git_diff")];
    assert_eq!(paths(&ids), expected.map(|(group, path)| (group, path.to_owned())));
    let fields = store.compare(&ids).unwrap().fields;
    assert_eq!(fields[0].values[&ids[0].parse().unwrap()], Value::Text("Clip, Stop".into()));
    assert_eq!(fields[1].values.len(), 2);
}
