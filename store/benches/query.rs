//! A query over 10,000 runs whose summaries are in memory: 15 parameters, 8 metrics and 3 tags
//! each.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook_store::query::Query;
use trainbook_store::{Aggregate, Name, RunState, RunSummary, Value};

const RUNS: usize = 10_000;
const PARAMS: usize = 15;
const METRICS: usize = 8;

const QUERIES: [(&str, &str); 5] = [
    (
        "filter, order, limit",
        "metrics.val_loss.min < 0.5 and (params.lr between 1e-4 and 1e-2 or tags.model like 'cnn%') \
         order by metrics.val_accuracy desc limit 10",
    ),
    ("filter, order", "metrics.val_loss.min < 0.5 order by metrics.val_accuracy desc, id"),
    ("order", "order by params.lr"),
    ("any, from the summaries", "any(metrics.train_loss > 1.9) order by started_at limit 10"),
    ("typo", "metrics.val_los.min < 0.5"),
];

/// Numbers in [0, 1) that look drawn.
fn draw(run: usize, what: usize) -> f64 {
    let mixed = (run * 64 + what + 1) as u64;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64
}

fn summary(run: usize) -> RunSummary {
    let metrics = [
        "train_loss",
        "val_loss",
        "train_accuracy",
        "val_accuracy",
        "grad_norm",
        "lr",
        "seconds",
        "throughput",
    ];
    let mut params: Vec<(Name, Value)> =
        (2..PARAMS).map(|at| (format!("param_{at}").into(), draw(run, at).into())).collect();
    params.push(("lr".into(), 10_f64.powf(-1.0 - 4.0 * draw(run, 1)).into()));
    params.push(("optimizer".into(), ["adamw", "sgd", "lion"][run % 3].into()));
    let model = ["cnn-2", "cnn-4", "mlp", "rnn"][run % 4];
    let series = |metric: usize| {
        (0..3)
            .map(|step| (step, 2.0 * draw(run, 20 + 3 * metric + step as usize)))
            .collect::<Vec<_>>()
    };
    let aggregates = (0..METRICS)
        .map(|metric| (metrics[metric].into(), Aggregate::of(&series(metric)).unwrap()));
    RunSummary {
        id: format!("20260101-{:02}{:02}{:02}-{run:06x}", run / 3600, run / 60 % 60, run % 60)
            .parse()
            .unwrap(),
        name: None,
        state: RunState::Finished,
        started_at: format!("2026-01-01T{:02}:{:02}:{:02}Z", run / 3600, run / 60 % 60, run % 60)
            .parse()
            .unwrap(),
        seconds: Some(draw(run, 0)),
        seed: run as u64,
        model: model.into(),
        parent: None,
        params: params.into_iter().collect(),
        tags: [("model", model), ("role", "sweep"), ("owner", "bench")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        metrics: aggregates.collect(),
        steps: 1000,
        epochs: 10,
        warnings: 0,
        damage: None,
    }
}

fn queries(criterion: &mut Criterion) {
    let runs: Vec<Arc<RunSummary>> = (0..RUNS).rev().map(|run| Arc::new(summary(run))).collect();
    let mut group = criterion.benchmark_group("query 10,000 runs");
    for (name, text) in QUERIES {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let query: Query = black_box(text).parse().unwrap();
                let points = |run: &RunSummary, metric: &str| {
                    unreachable!("the summary tells {metric} of {}", run.id)
                };
                query.select_from(&runs, points).map_err(|error| error.to_string())
            });
        });
    }
    group.finish();
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    super::criterion_group!(benches, super::queries);
}
criterion_main!(group::benches);
