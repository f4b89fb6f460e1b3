//! The store of 10,000 runs that benchmarks ask; the board's too. Made once and kept in the target
//! folder.

use std::path::{Path, PathBuf};

use trainbook_store::{EndState, Metric, RunEnd, RunStart, Store};

pub const RUNS: usize = 10_000;

/// A store of 10,000 runs with 15 parameters, 3 tags and 8 metrics each.
pub fn many_runs() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten-thousand-runs");
    let count = |path: &Path| std::fs::read_dir(path.join("runs")).map_or(0, Iterator::count);
    if count(&path) != RUNS {
        let _ = std::fs::remove_dir_all(&path);
        let store = Store::open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let store = store.clone();
                scope.spawn(move || {
                    (thread..RUNS).step_by(8).for_each(|number| write(&store, number))
                });
            }
        });
        store.rebuild_index().unwrap();
    }
    path
}

fn write(store: &Store, number: usize) {
    let spread = |range: usize| (number * 2_654_435_761 % range) as f64 / range as f64;
    let mut params: std::collections::BTreeMap<_, _> = (0..14)
        .map(|n| (format!("setting_{n}").into(), (number as f64 * f64::from(n)).into()))
        .collect();
    params.insert("lr".into(), (1e-5 * 1000_f64.powf(spread(1009))).into());
    let model = if number.is_multiple_of(2) { "mlp" } else { "cnn" };
    let tags = [("model", model), ("data", "digits"), ("who", "bench")];
    let tags = tags.map(|(name, value)| (name.into(), value.to_owned())).into();
    let run = store
        .start_run(RunStart { params, tags, model: model.into(), ..RunStart::default() })
        .unwrap();
    let names = [
        "loss",
        "val_loss",
        "val_accuracy",
        "train_loss",
        "learning_rate",
        "gradient_norm",
        "clipped",
        "epoch",
    ];
    for step in 1..=10_u64 {
        let value = |n: usize| spread(997 + n) / step as f64;
        run.log(
            step,
            &names
                .iter()
                .enumerate()
                .map(|(n, name)| Metric::new(*name, value(n)))
                .collect::<Vec<_>>(),
        );
    }
    run.finish(RunEnd::new(EndState::Finished, 10, 1)).unwrap();
}
