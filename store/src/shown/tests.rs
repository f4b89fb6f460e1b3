use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::query::Answer;
use crate::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(last: u8) -> RunId {
    format!("20261123-230412-7f3a{last:02x}").parse().unwrap()
}

fn summary() -> RunSummary {
    let of = |points: &[(u64, f64)]| Aggregate::of(points).unwrap();
    RunSummary {
        id: id(1),
        name: Some("second\ntry".into()),
        state: RunState::Stopped { reason: "by hand".into() },
        started_at: at("2026-11-23T23:04:12.5Z"),
        seconds: Some(200.4),
        seed: u64::MAX,
        model: "MLP 64-128-64-10".into(),
        parent: Some(Parent { run: id(2), step: 40, resumed: true }),
        params: [("lr".into(), 1e-5.into()), ("batch_size".into(), 32.into())].into(),
        tags: [("kind".into(), "trial \u{1b}[31m".to_owned())].into(),
        metrics: [
            ("loss".into(), of(&[(1, 1.23456789), (2, 0.5), (3, f64::NAN)])),
            ("val_accuracy".into(), of(&[(3, 0.975)])),
        ]
        .into(),
        steps: 1,
        epochs: 2,
        warnings: 1,
        damage: Some("the record at byte 7 is damaged".into()),
    }
}

#[test]
fn a_summary() {
    let expected = "\
20261123-230412-7f3a01  stopped: by hand  second try
  started       2026-11-23 23:04:12 UTC, took 3 min 20 s
  trained       1 step, 2 epochs
  model         MLP 64-128-64-10
  seed          18446744073709551615
  went on with  20261123-230412-7f3a02, resumed behind step 40
  warnings      1
  damage        the record at byte 7 is damaged
parameters
  batch_size  32
  lr          1e-5
tags
  kind  trial  [31m
  metrics       last   min    at step  max      at step  points
  loss          NaN    0.5    2        1.23457  1        3, 1 NaN
  val_accuracy  0.975  0.975  3        0.975    3        1
";
    assert_eq!(summary().to_string(), expected);
    let bare = record::unreadable(&id(3), "it is empty".into());
    let expected = "\
20261123-230412-7f3a03  crashed
  started  2026-11-23 23:04:12 UTC
  trained  0 steps, 0 epochs
  seed     0
  damage   it is empty
";
    // The time is that of its id.
    assert_eq!(bare.to_string(), expected);
}

#[test]
fn a_record() {
    let object = ObjectId::of(b"weights");
    let timed = |event| TimedEvent { at: at("2026-11-23T23:05:00Z"), event };
    let environment = Environment {
        host_name: Some("box".into()),
        os: "linux".into(),
        arch: "x86_64".into(),
        cpu_model: Some("A processor".into()),
        threads: 2,
        memory: Some(8 << 30),
        gpus: vec![Gpu { model: "A card".into(), firmware: Some("96.00".into()) }],
        git_commit: Some("c0ffee00c0ffee00c0ffee00".into()),
        git_dirty: Some(true),
        git_diff: Some(object),
        command_line: vec!["train".into(), "--fast".into()],
        unknown: [("notebook".to_owned(), "no server".to_owned())].into(),
        ..Environment::default()
    };
    let clip = PlannedCallback {
        name: "Clip".into(),
        phase: "change".into(),
        reads: Vec::new(),
        writes: vec!["gradients".into(), "x".into()],
    };
    let mut record = RunRecord {
        summary: RunSummary { metrics: BTreeMap::new(), ..summary() },
        plan: vec![clip],
        recipe: Some("{}".into()),
        environment,
        data: DataFingerprint { source: "digits.csv".into(), rows: 1797, hash: "ab".repeat(20) },
        series: BTreeMap::new(),
        events: vec![timed(RunEvent::Note { text: "half\tway".into() })],
        damage: None,
    };
    let text = record.to_string();
    let (head, rest) = text.split_once("data\n").unwrap();
    assert_eq!(head, record.summary.to_string());
    let expected = format!(
        "  digits.csv, 1797 rows, hash abababababab…
callbacks
  Clip (change); writes gradients, x
environment
  host              box
  system            linux x86_64
  processor         A processor
  threads           2 threads
  memory            8.0 GiB
  card              A card, firmware 96.00
  commit            c0ffee00c0ff…, with changes (object {}…)
  command           train --fast
  notebook unknown  no server
events
  2026-11-23 23:05:00 UTC  note: half way
",
        &object.to_string()[..12]
    );
    assert_eq!(rest, expected);
    record.events = (0..12).map(|n| timed(RunEvent::Note { text: n.to_string() })).collect();
    let text = record.to_string();
    assert!(text.contains("events\n  …  2 earlier events\n  2026-11-23 23:05:00 UTC  note: 2\n"));
}

#[test]
fn events() {
    let object = ObjectId::of(b"weights");
    let short = format!("{}…", &object.to_string()[..12]);
    let metric = Some(Metric::new("val_loss", 0.123456789));
    let label = || "best".to_owned();
    let costs = [0.25, 0.05].map(|seconds| CallbackCost {
        callback: "Clip".into(),
        moment: "step_end".into(),
        calls: 7,
        seconds,
    });
    assert_eq!(costs[0].to_string(), "Clip at step_end: 7 calls, 0.25 s");
    for (event, expected) in [
        (
            RunEvent::Checkpoint { label: label(), step: 3, epoch: 1, object, metric },
            format!("checkpoint best at step 3, epoch 1, val_loss 0.123457 (object {short})"),
        ),
        (
            RunEvent::Released { label: label(), object, metric: None },
            format!("checkpoint best released (object {short})"),
        ),
        (
            RunEvent::Export {
                path: "digits.onnx".into(),
                sha256: "a".into(),
                graph_sha256: "b".into(),
                runtime: "ONNX Runtime 1.24".into(),
                max_abs_diff: 1.5e-7,
                comparisons: 60,
                margin_used: 0.1,
                second_opinion: None,
            },
            "exported to digits.onnx, checked in ONNX Runtime 1.24: largest difference 1.5e-7 in 60 comparisons".into(),
        ),
        (
            RunEvent::Evaluation {
                part: "test".into(),
                metrics: vec![Metric::new("test_loss", 0.5), Metric::new("test_accuracy", 1.0)],
            },
            "evaluated on test: test_loss 0.5, test_accuracy 1.0".into(),
        ),
        (
            RunEvent::CallbackCosts { seconds: 12.0, costs: costs.into() },
            "callbacks took 0.3 s of 12 s (2.5 %)".into(),
        ),
        (RunEvent::Note { text: "a\r\nb".into() }, "note: a  b".into()),
        (RunEvent::Warning { text: "careful".into() }, "warning: careful".into()),
    ] {
        assert_eq!(event.to_string(), expected);
    }
    let events = vec![TimedEvent {
        at: at("2026-11-23T23:05:00Z"),
        event: RunEvent::Note { text: "x".into() },
    }];
    let update =
        Update { points: vec![("loss".into(), 1, 0.5)], events, summary: summary(), live: false };
    assert_eq!(
        update.to_string(),
        "20261123-230412-7f3a01  stopped: by hand, 1 step: 1 new point, 1 new event; there will be no more\n  \
         2026-11-23 23:05:00 UTC  note: x"
    );
    assert_eq!(
        RunEnd::new(EndState::Failed { error: "NaN".into() }, 1, 0).to_string(),
        "failed: NaN after 1 step, 0 epochs"
    );
}

#[test]
fn histories() {
    let few = History { total: 2, points: vec![(1, 0.5), (1000, f64::NAN)] };
    assert_eq!(few.to_string(), "2 points\n  step 1     0.5\n  step 1000  NaN\n");
    let many = History { total: 9999, points: (0..12).map(|n| (n, 1.0)).collect() };
    let text = many.to_string();
    assert!(text.starts_with("9999 points, 12 of them kept\n  step 0   1.0\n"), "{text}");
    assert_eq!(text.lines().count(), 12);
    assert!(text.contains("  step 4   1.0\n  …\n  step 7   1.0\n"), "{text}");
    let points = |count: u64| {
        let points = (0..count).map(|n| (n, 1.0)).collect();
        History { total: count, points }.to_string()
    };
    // As long as nothing would be left out, every one is shown.
    let ten = points(10);
    assert_eq!((ten.lines().count(), ten.contains('…')), (11, false), "{ten}");
    let eleven = points(11);
    assert!(eleven.contains("  step 4   1.0\n  …\n  step 6   1.0\n"), "{eleven}");
    assert_eq!(History { total: 0, points: Vec::new() }.to_string(), "0 points\n");
    let past = Past {
        parents: vec![Parent { run: id(2), step: 4, resumed: false }],
        series: [("loss".into(), vec![(1, 0.5)])].into(),
    };
    assert_eq!(
        past.to_string(),
        "20261123-230412-7f3a02, continued behind step 4\n  loss  1 point\n"
    );
    assert_eq!(Past::default().to_string(), "nothing: it began by itself\n");
}

#[test]
fn answers() {
    let unnamed = RunSummary {
        id: id(2),
        name: None,
        seconds: None,
        state: RunState::Running,
        steps: 100,
        ..summary()
    };
    let remarks = vec!["1 run was passed over".to_owned()];
    let expected = "  20261123-230412-7f3a01  stopped  2026-11-23 23:04:12 UTC  3 min 20 s  1 step     second try
  20261123-230412-7f3a02  running  2026-11-23 23:04:12 UTC              100 steps  MLP 64-128-64-10
2 runs
1 run was passed over
";
    let runs = vec![summary(), unnamed];
    let shared = runs.iter().cloned().map(std::sync::Arc::new).collect();
    assert_eq!(Answer { runs, remarks: remarks.clone() }.to_string(), expected);
    assert_eq!(
        Answer::<std::sync::Arc<RunSummary>> { runs: shared, remarks }.to_string(),
        expected
    );
}

#[test]
fn small_values() {
    let whole = Aggregate::of(&[(1, 2.0), (2, 1.0), (3, f64::NAN)]).unwrap();
    assert_eq!(
        whole.to_string(),
        "last NaN, min 1.0 at step 2, max 2.0 at step 1, mean 1.5; 3 points, 1 of them NaN"
    );
    let (a, b) = (Some(Value::Float(0.1)), None);
    let difference = Difference { path: "params.lr".into(), group: Group::Settings, a, b };
    assert_eq!(difference.to_string(), "params.lr (settings): 0.1 and absent");
    let parts =
        Divergence { metric: "loss".into(), step: 3, a: Some(0.1 + 0.2), b: Some(f64::NAN) };
    assert_eq!(parts.to_string(), "loss from step 3 on: 0.30000000000000004 and NaN");
    assert_eq!(
        DataFingerprint { source: "x".into(), rows: 1, hash: String::new() }.to_string(),
        "x, 1 row"
    );
    let garbage = Garbage { kind: GarbageKind::TemporaryFile, path: "a\nb".into(), bytes: 2048 };
    assert_eq!(garbage.to_string(), "temporary file, 2.0 KiB: a b");
    let planned = PlannedRun { run: summary(), bytes: 1, goes: true, why: "it was named".into() };
    assert_eq!(planned.to_string(), "delete 20261123-230412-7f3a01, 1 byte: it was named");
    let metric = ComparedMetric {
        metric: "loss".into(),
        spread: Some(0.123456),
        values: [(id(1), Aggregate::of(&[(1, 0.5)]).unwrap())].into(),
    };
    assert_eq!(
        metric.to_string(),
        "loss, spread 0.123\n  20261123-230412-7f3a01  last 0.5, min 0.5 at step 1, max 0.5 at step 1, mean 0.5; 1 point"
    );
    let field = ComparedField {
        path: "params.lr".into(),
        group: Group::Settings,
        values: [(id(1), 0.1.into()), (id(2), "x".into())].into(),
    };
    assert_eq!(
        field.to_string(),
        "params.lr (settings)\n  20261123-230412-7f3a01  0.1\n  20261123-230412-7f3a02  x"
    );
    let (name, state) = (Some("best".into()), RunState::Finished);
    let run = ComparedRun { id: id(1), name, state };
    assert_eq!(run.to_string(), "20261123-230412-7f3a01  finished  best");
}
