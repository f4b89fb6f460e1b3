use super::*;
use crate::event::{
    CallbackCost, DataFingerprint, EndState, Metric, PlannedCallback, RunEnd, RunEvent, RunStart,
    TimedEvent,
};
use crate::record::RunRecord;
use crate::value::Value;
use crate::{Environment, ObjectId, Store};

fn start() -> RunStart {
    let callback = |name: &str| PlannedCallback {
        name: name.into(),
        phase: "change".into(),
        ..Default::default()
    };
    RunStart {
        name: Some("one".into()),
        params: [("lr".into(), 0.1.into()), ("epochs".into(), 3.into())].into(),
        tags: [("role".into(), "test".to_owned())].into(),
        seed: 7,
        model: "mlp".into(),
        data: DataFingerprint { source: "digits.csv".into(), rows: 10, hash: "ab".into() },
        plan: vec![callback("Clip"), callback("Clip"), callback("EarlyStopping")],
        recipe: None,
        parent: None,
        environment: Environment {
            os: "linux".into(),
            threads: 2,
            cpu_model: Some("A".into()),
            git_commit: Some("c0ffee".into()),
            git_dirty: Some(false),
            command_line: vec!["train".into()],
            process_id: 1,
            ..Environment::default()
        },
    }
}

/// A record of a run that logged these losses.
fn record(start: RunStart, losses: &[f64]) -> RunRecord {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.start_run(start).unwrap();
    for (step, loss) in (1..).zip(losses) {
        run.log(
            step,
            &[
                Metric::new("loss", *loss),
                Metric::new("epoch_seconds", run.id().started_at().as_second() as f64),
            ],
        );
    }
    run.event(RunEvent::Checkpoint {
        label: "last".into(),
        step: 3,
        epoch: 1,
        object: ObjectId::of(b"weights"),
        metric: None,
    });
    run.finish(RunEnd::new(EndState::Finished, 3, 1)).unwrap();
    store.run(run.id().as_str()).unwrap()
}

fn paths(differences: &[Difference]) -> Vec<&str> {
    differences.iter().map(|difference| difference.path.as_str()).collect()
}

/// Two runs that logged the same and started differently.
fn changed(change: impl Fn(&mut RunStart)) -> RunDiff {
    let mut other = start();
    change(&mut other);
    let losses = [0.5, f64::NAN, 0.25];
    RunDiff::between(&record(start(), &losses), &record(other, &losses))
}

#[test]
fn a_repetition_differs_in_circumstances_alone() {
    let diff = changed(|start| {
        start.name = None;
        start.environment.process_id = 2;
        start.environment.host_name = Some("elsewhere".into());
        start.data.source = "/data/digits.csv".into();
    });
    assert!(diff.is_same() && diff.one_variable().is_none(), "{diff:?}");
    for path in [
        "id",
        "name",
        "started_at",
        "seconds",
        "events.0.at",
        "environment.process_id",
        "data.source",
    ] {
        assert!(paths(&diff.circumstances).contains(&path), "{path}: {diff:?}");
    }
    assert_eq!(diff.not_compared, ["epoch_seconds"]);
    assert_eq!(diff.sentence(), "nothing differs: the results are the same bit for bit");

    let one = record(start(), &[0.5]);
    let itself = RunDiff::between(&one, &one);
    assert!(itself.is_same() && itself.circumstances.is_empty(), "{itself:?}");
}

#[test]
fn whatever_is_changed_is_the_one_variable() {
    type Change = fn(&mut RunStart);
    let changes: [(&str, Group, Change); 20] = [
        ("params.lr", Group::Settings, |start| drop(start.params.insert("lr".into(), 0.2.into()))),
        ("params.momentum", Group::Settings, |start| {
            drop(start.params.insert("momentum".into(), 0.9.into()))
        }),
        ("params.epochs", Group::Settings, |start| {
            drop(start.params.insert("epochs".into(), 3.0.into()))
        }),
        ("params.lr", Group::Settings, |start| drop(start.params.remove("lr"))),
        ("tags.role", Group::Settings, |start| {
            drop(start.tags.insert("role".into(), "other".into()))
        }),
        ("seed", Group::Settings, |start| start.seed = 8),
        ("model", Group::Settings, |start| start.model = "cnn".into()),
        ("plan", Group::Settings, |start| drop(start.plan.remove(0))),
        ("plan", Group::Settings, |start| start.plan.swap(0, 2)),
        ("plan.Clip.2", Group::Settings, |start| start.plan[1].writes.push("gradients".into())),
        ("data.hash", Group::Data, |start| start.data.hash = "cd".into()),
        ("data.rows", Group::Data, |start| start.data.rows = 11),
        ("environment.git_commit", Group::Code, |start| start.environment.git_commit = None),
        ("environment.git_diff", Group::Code, |start| {
            start.environment.git_diff = Some(ObjectId::of(b"diff"));
            start.environment.git_dirty = Some(true);
        }),
        ("environment.git_dirty", Group::Code, |start| start.environment.git_dirty = Some(true)),
        ("environment.unknown.git_diff", Group::Code, |start| {
            start.environment.unknown.insert("git_diff".into(), "late".into());
            start.environment.git_dirty = None;
        }),
        ("environment.features", Group::Code, |start| {
            start.environment.features.push("cuda".into())
        }),
        ("environment.rustc", Group::Code, |start| start.environment.rustc = "rustc 1.96".into()),
        ("environment.threads", Group::Machine, |start| start.environment.threads = 4),
        ("environment.variables.OMP_NUM_THREADS", Group::Machine, |start| {
            start.environment.variables.insert("OMP_NUM_THREADS".into(), "1".into());
        }),
    ];
    for (path, group, change) in changes {
        let diff = changed(change);
        let one = diff.one_variable().unwrap_or_else(|| panic!("{path}: {:?}", diff.causes));
        assert_eq!((one.path.as_str(), one.group), (path, group));
        assert!(diff.results.is_empty() && !diff.is_same());
        assert_eq!(diff.sentence(), format!("only {path} differs"));
    }
    let removed = changed(|start| drop(start.params.remove("lr")));
    let one = removed.one_variable().unwrap();
    assert_eq!((&one.a, &one.b), (&Some(Value::Float(0.1)), &None));
}

/// Every field of the environment is compared: one that was forgotten would be in no group.
#[test]
fn every_field_of_the_environment_is_compared() {
    let full = Environment {
        host_name: Some("a".into()),
        cpu_features: vec!["avx".into()],
        memory: Some(1),
        rayon_num_threads: Some("1".into()),
        gpu_driver: Some("1".into()),
        gpus: vec![crate::Gpu { model: "a".into(), firmware: Some("b".into()) }],
        git_untracked: vec!["a".into()],
        git_untracked_count: Some(1),
        cargo_lock_hash: Some("a".into()),
        notebook: Some("a".into()),
        notebook_file: Some(ObjectId::of(b"a")),
        notebook_cell: Some(ObjectId::of(b"b")),
        git_diff: Some(ObjectId::of(b"c")),
        ..Environment::capture()
    };
    let serde_json::Value::Object(fields) = serde_json::to_value(&full).unwrap() else {
        panic!("no fields")
    };
    let diff = changed(|start| start.environment = full.clone());
    let all: Vec<&Difference> = diff.causes.iter().chain(&diff.circumstances).collect();
    for (field, value) in fields {
        let path = format!("environment.{field}");
        let is_there = |difference: &&Difference| {
            difference.path == path || difference.path.starts_with(&format!("{path}."))
        };
        let empty = value.is_null()
            || value.as_object().is_some_and(|map| map.is_empty())
            || value == serde_json::json!([]);
        let same = ["os", "arch", "git_dirty", "threads"].contains(&field.as_str());
        assert!(empty || same || all.iter().any(is_there), "{path}: {diff:?}");
    }
}

#[test]
fn results_are_told_from_causes_and_part_at_a_step() {
    let mut other = start();
    other.params.insert("lr".into(), 0.2.into());
    let diff =
        RunDiff::between(&record(start(), &[0.5, 0.4, 0.3]), &record(other, &[0.5, 0.4, 0.2, 0.1]));
    assert_eq!(diff.one_variable().unwrap().path, "params.lr");
    assert_eq!(
        paths(&diff.results),
        [
            "metrics.loss.argmin",
            "metrics.loss.count",
            "metrics.loss.last",
            "metrics.loss.mean",
            "metrics.loss.min"
        ]
    );
    let first = diff.first_divergence().unwrap();
    assert_eq!(
        (first.metric.as_str(), first.step, first.a, first.b),
        ("loss", 3, Some(0.3), Some(0.2))
    );
    let text = diff.to_string();
    for part in [
        "only params.lr differs",
        "settings\n  params.lr  0.1  0.2\n",
        "the metrics part at step 3:\n  loss at step 3",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(text.contains("  metrics.loss.last  0.3  0.1\n\n4 more values"), "{text}");
    assert!(!text.contains("started_at"), "{text}");
}

#[test]
fn an_exported_file_is_judged_by_its_graph() {
    let exported = |sha256: &str, graph: &str| {
        let mut record = record(start(), &[0.5]);
        let event = RunEvent::Export {
            path: format!("{sha256}.onnx"),
            sha256: sha256.into(),
            graph_sha256: graph.into(),
            runtime: "onnxruntime".into(),
            max_abs_diff: 0.0,
            comparisons: 60,
            margin_used: 0.1,
            second_opinion: None,
        };
        record.events.push(TimedEvent { at: record.summary.started_at, event });
        record
    };
    assert!(RunDiff::between(&exported("a", "g"), &exported("b", "g")).is_same());
    let diff = RunDiff::between(&exported("a", "g"), &exported("b", "h"));
    assert_eq!(paths(&diff.results), ["events.1.export.graph_sha256"]);
}

#[test]
fn what_callbacks_took_is_a_circumstance() {
    let took = |seconds: f64| {
        let mut record = record(start(), &[0.5]);
        let event = RunEvent::CallbackCosts { seconds, costs: vec![CallbackCost::default()] };
        record.events.insert(0, TimedEvent { at: record.summary.started_at, event });
        record
    };
    let diff = RunDiff::between(&took(1.0), &took(2.0));
    assert!(diff.is_same(), "{diff}");
    assert!(paths(&diff.circumstances).contains(&"costs.callback_costs.seconds"));
    // Nor do the places of other events move for runs that did not tell it.
    assert!(RunDiff::between(&took(1.0), &record(start(), &[0.5])).is_same());
}

#[test]
fn large_seeds_that_no_float_tells_apart_differ() {
    let seed = |seed| {
        let mut start = start();
        start.seed = seed;
        record(start, &[0.5])
    };
    let diff = RunDiff::between(&seed(u64::MAX), &seed(u64::MAX - 1));
    assert_eq!(diff.one_variable().unwrap().path, "seed");
}

#[test]
fn what_neither_run_knows_is_no_proof() {
    let unknown = |lr: f64| {
        let mut start = start();
        start.params.insert("lr".into(), lr.into());
        start
            .environment
            .unknown
            .insert("git_diff".into(), "it has more than 1048576 bytes".into());
        start.environment.command_line.push(lr.to_string());
        record(start, &[0.5])
    };
    let diff = RunDiff::between(&unknown(0.1), &unknown(0.2));
    assert_eq!(paths(&diff.causes), ["params.lr"]);
    assert_eq!(diff.one_variable(), None);
    assert_eq!(
        diff.sentence(),
        "only params.lr differs (their command lines differ too), as far as can be told: \
         environment.git_diff of neither run is known"
    );
}

#[test]
fn metrics_that_measure_time_are_known_by_a_word() {
    for name in
        ["seconds", "epoch_seconds", "samples_per_second", "time/step", "Step-Time", "load ms"]
    {
        assert!(RunDiff::measures_time(name), "{name}");
    }
    for name in ["loss", "val_loss", "timestep_loss", "sometimes", "learning_rate", "clipped_share"]
    {
        assert!(!RunDiff::measures_time(name), "{name}");
    }
}

#[test]
fn absent_and_nan_are_not_the_same_in_json() {
    let of = |value: Option<f64>| Difference {
        path: "params.lr".into(),
        group: Group::Settings,
        a: value.map(Value::Float),
        b: Some(Value::Int(1)),
    };
    let json = |value| serde_json::to_string(&of(value)).unwrap();
    assert_eq!(json(None), r#"{"path":"params.lr","group":"settings","b":1}"#);
    assert_eq!(json(Some(f64::NAN)), r#"{"path":"params.lr","group":"settings","a":null,"b":1}"#);
}

#[test]
fn a_layer_that_differs_is_named() {
    let with = |units: u32| {
        let network = format!(
            r#"{{"network": {{"layer": "Sequential", "layers": [
                {{"layer": "Linear", "out_features": {units}}}, {{"layer": "Relu"}}]}}, "seed": 3}}"#
        );
        let model = format!("Linear {units} → Relu");
        record(RunStart { recipe: Some(network), model, ..start() }, &[0.5])
    };
    let diff = RunDiff::between(&with(8), &with(16));
    assert_eq!(paths(&diff.causes), ["network.layers.0.out_features"]);
    // A run that is older than the record has its one text, and so both differ as texts do.
    let older = record(RunStart { model: "mlp".into(), ..start() }, &[0.5]);
    assert!(paths(&RunDiff::between(&older, &with(8)).causes).contains(&"model"));
}
