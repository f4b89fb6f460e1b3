//! What the store costs: `cargo bench -p trainbook-store --bench store`. `book/src/figures.md` says
//! what is asked of it.
//!
//! The store of 10,000 runs is made once and kept in the target folder.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![allow(missing_docs, reason = "criterion makes functions of its own")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook_store::{EndState, Metric, RunEnd, RunStart, RunWriter, Store};

mod many_runs;

use many_runs::{RUNS, many_runs};

const QUERY: &str = "metrics.val_loss.min < 0.5 and params.lr between 1e-4 and 5e-3 and tags.model like 'mlp%' \
                     order by metrics.val_accuracy.max desc limit 10";

fn start(store: &Store) -> RunWriter {
    store.start_run(RunStart { model: "mlp".into(), ..RunStart::default() }).unwrap()
}

fn logging(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = start(&store);
    let mut step = 0;
    // What the training thread pays; the queue is emptied outside of the measurement, as training
    // leaves the time for it.
    c.bench_function("log/one point", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            let mut rest = iterations;
            while rest > 0 {
                let batch = rest.min(10_000);
                let started = Instant::now();
                for _ in 0..batch {
                    step += 1;
                    run.log(step, black_box(&[Metric::new("loss", step as f64)]));
                }
                spent += started.elapsed();
                run.flush().unwrap();
                rest -= batch;
            }
            spent
        });
    });
    let mut group = c.benchmark_group("journal");
    group.sample_size(10);
    group.throughput(criterion::Throughput::Elements(1_000_000));
    group.bench_function("a million points until they are on disk", |bencher| {
        bencher.iter_custom(|iterations| {
            (0..iterations)
                .map(|_| {
                    let run = start(&store);
                    let started = Instant::now();
                    for step in 0..1_000_000_u64 {
                        run.log(step, &[Metric::new("loss", step as f64)]);
                    }
                    run.flush().unwrap();
                    let spent = started.elapsed();
                    std::fs::remove_file(folder.path().join(format!("runs/{}.log", run.id())))
                        .unwrap();
                    spent
                })
                .sum()
        });
    });
    group.finish();
}

fn reading(c: &mut Criterion) {
    let path = many_runs();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.query(QUERY).unwrap().len(), 10);
    let mut group = c.benchmark_group("10,000 runs");
    group.sample_size(20);
    group.bench_function("query, warm", |bencher| bencher.iter(|| store.query(QUERY).unwrap()));
    group.bench_function("query, cold", |bencher| {
        bencher.iter(|| Store::open_existing(&path).unwrap().query(QUERY).unwrap());
    });
    let id = store.runs().unwrap()[RUNS / 2].id.to_string();
    group.bench_function("open and tail one", |bencher| {
        bencher.iter(|| {
            Store::open_existing(&path).unwrap().tail(&id).unwrap().poll().unwrap().unwrap()
        });
    });
    group.finish();
}

fn history(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = start(&store);
    let mut noise = 1_u32;
    for step in 0..1_000_000_u64 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let loss = 2.3 / (1.0 + step as f32 / 1e4) + noise as f32 / u32::MAX as f32 * 0.1;
        run.log(step, &[Metric::new("loss", f64::from(loss))]);
    }
    run.finish(RunEnd::new(EndState::Finished, 1_000_000, 1)).unwrap();
    let id = run.id().to_string();
    drop(run);
    let mut group = c.benchmark_group("history");
    group.sample_size(20);
    group.bench_function("2,000 of a million points", |bencher| {
        bencher.iter(|| {
            Store::open_existing(folder.path()).unwrap().history(&id, "loss", 2_000).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, logging, history, reading);
criterion_main!(benches);
