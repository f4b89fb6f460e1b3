//! Writes a store for `tests/python/check_exports.py`:
//! `cargo run -p trainbook-store --example write_samples FOLDER`.
//!
//! The script knows what is in it and reads it back from every format that runs are exported to.

use trainbook_store::{EndState, Metric, Result, RunEnd, RunStart, Store, Value};

fn main() -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: write_samples FOLDER");
        std::process::exit(2);
    };
    let store = Store::open(folder)?;
    finished(&store)?;
    failed(&store)?;
    crashed(&store)
}

fn start<const N: usize>(name: &str, seed: u64, params: [(&str, Value); N]) -> RunStart {
    RunStart {
        name: Some(name.to_owned()),
        params: params.map(|(name, value)| (name.into(), value)).into(),
        tags: [("kind".into(), "größe, \"1\"".to_owned())].into(),
        seed,
        model: "mlp 64-10".to_owned(),
        ..RunStart::default()
    }
}

/// More points than MLflow takes at once, every number that JSON lacks, a name that MLflow does not
/// take, and the same point twice.
fn finished(store: &Store) -> Result<()> {
    let params = [
        ("lr", 1e-3.into()),
        ("batch_size", 32.into()),
        ("optimizer", "adamw".into()),
        ("nesterov", false.into()),
    ];
    let run = store.start_run(start("finished", u64::MAX, params))?;
    for step in 1..=2_500_u64 {
        run.log(step, &[Metric::new("loss", if step == 7 { f64::NAN } else { 1.0 / step as f64 })]);
    }
    for (step, value) in
        [(1, 1e300), (2, f64::INFINITY), (3, f64::NEG_INFINITY), (4, 0.5), (4, 0.5), (4, 0.25)]
    {
        run.log(step, &[Metric::new("norm", value)]);
    }
    run.log(2_500, &[Metric::new("accuracy (val)", 0.1)]);
    run.finish(RunEnd::new(EndState::Finished, 2_500, 3))
}

/// Parameters of other types under the same names.
fn failed(store: &Store) -> Result<()> {
    let params = [("lr", 1.into()), ("batch_size", "auto".into())];
    let run = store.start_run(start("failed", 2, params))?;
    run.log(1, &[Metric::new("loss", f64::NAN)]);
    run.finish(RunEnd::new(EndState::Failed { error: "the loss is NaN".to_owned() }, 1, 0))
}

/// Its writer goes without a word.
fn crashed(store: &Store) -> Result<()> {
    let run = store.start_run(start("crashed", 3, [("lr", 0.5.into())]))?;
    run.log(1, &[Metric::new("loss", 2.0)]);
    run.flush()
}
