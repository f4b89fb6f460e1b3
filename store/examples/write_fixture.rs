//! Writes the store that the tests read for ever:
//! `cargo run -p trainbook-store --example write_fixture FOLDER`.
//!
//! `tests/fixtures/v1` to `v3` were written by this program when formats 1 to 3 were new. They are
//! not to be written again: a later version of the format gets a folder of its own.

use trainbook_store::{
    CallbackCost, DataFingerprint, EndState, Environment, Metric, PlannedCallback, Result, RunEnd,
    RunEvent, RunStart, Store, Value,
};

fn main() -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: write_fixture FOLDER");
        std::process::exit(2);
    };
    let store = Store::open(folder)?;
    let run = store.start_run(start())?;
    for step in 1..=20_u64 {
        let loss = if step == 7 { f64::NAN } else { 1.0 / step as f64 };
        run.log(step, &[Metric::new("loss", loss), Metric::new("grad_norm", f64::INFINITY)]);
    }
    let object = store.put_object(b"the weights")?;
    let metric = Some(Metric::new("val_loss", 0.05));
    run.event(RunEvent::Checkpoint { label: "best".into(), step: 20, epoch: 2, object, metric });
    let former = store.put_object(b"the weights before")?;
    let label = || "last".to_owned();
    for (object, step, epoch) in [(former, 10, 1), (object, 20, 2)] {
        run.event(RunEvent::Checkpoint { label: label(), step, epoch, object, metric: None });
    }
    run.release(label(), former);
    run.event(RunEvent::Warning { text: "a gradient was infinite".into() });
    run.event(RunEvent::Note { text: "fixture".into() });
    let cost = |moment: &str, calls, seconds| CallbackCost {
        callback: "Clip".into(),
        moment: moment.into(),
        calls,
        seconds,
    };
    let costs = vec![cost("change_gradients", 20, 0.25), cost("epoch_end", 2, 0.125)];
    run.event(RunEvent::CallbackCosts { seconds: 10.0, costs });
    run.finish(RunEnd::new(EndState::Stopped { reason: "patience is over".into() }, 20, 2))?;
    run.event(RunEvent::Evaluation {
        part: "test".into(),
        metrics: vec![Metric::new("accuracy", 0.975)],
    });
    run.event(RunEvent::Export {
        path: "digits.onnx".into(),
        sha256: "00".into(),
        graph_sha256: "11".into(),
        runtime: "onnxruntime 1.24".into(),
        max_abs_diff: 1e-7,
        comparisons: 60,
        margin_used: 0.25,
        second_opinion: None,
    });
    run.flush()
}

fn start() -> RunStart {
    let params: [(&str, Value); 5] = [
        ("lr", 1e-3.into()),
        ("batch_size", 32.into()),
        ("optimizer", "adamw".into()),
        ("nesterov", false.into()),
        ("one", 1.0.into()),
    ];
    RunStart {
        name: Some("fixture".into()),
        params: params.map(|(name, value)| (name.into(), value)).into(),
        tags: [("kind".into(), "mlp".to_owned())].into(),
        seed: u64::MAX,
        model: "mlp 64-128-64-10".into(),
        data: DataFingerprint { source: "digits.csv.gz".into(), rows: 1797, hash: "22".into() },
        plan: vec![PlannedCallback {
            name: "clip".into(),
            phase: "change".into(),
            reads: vec!["gradients".into()],
            writes: vec!["gradients".into()],
        }],
        recipe: None,
        parent: None,
        environment: Environment {
            os: "linux".into(),
            arch: "x86_64".into(),
            threads: 2,
            ..Environment::default()
        },
    }
}
