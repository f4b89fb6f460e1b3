//! What calling callbacks costs: the moments of one step through a stack of 20 that do nothing, and
//! through none.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark that cannot go on should say where, and uses a part of the fake trainer"
)]

use std::cell::RefCell;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook_callbacks::{
    AfterUpdate, BatchStart, Callback, Counters, GradientEdit, GradientView, Horizon, MetricLog,
    Moment, Stack, StepEnd, TensorStats, seam::sum_of_squares,
};

#[path = "../tests/support/mod.rs"]
mod support;

use support::{FakeGradients, FakeReplay, FakeWeights, tensors};

/// Does nothing at any moment.
struct Nothing;

impl Callback for Nothing {}

/// The six moments of a step.
fn step(stack: &mut Stack, counters: Counters, gradients: &mut FakeGradients, log: &MetricLog) {
    let horizon = Horizon {
        epochs: 1,
        batches_per_epoch: 1_000_000,
        updates_per_epoch: 1_000_000,
        first_update: 0,
        limit: None,
    };
    let (samples, weights, requests) = ([0; 32], FakeWeights(0.0), RefCell::default());
    let replay = FakeReplay { step: 0, replay: &|_| Ok(None), activity: &|_| Vec::new() };
    let mut settings = 1e-3.into();
    let mut start = BatchStart::new(counters, horizon, &samples, log, &mut settings);
    black_box(stack.on(&mut Moment::BatchStart(&mut start)).unwrap());
    macro_rules! view {
        () => {
            GradientView {
                counters,
                loss: 1.0.into(),
                samples: &samples,
                gradients: &*gradients,
                weights: &weights,
                replay: &replay,
                log,
            }
        };
    }
    black_box(stack.on(&mut Moment::RawGradients(&view!())).unwrap());
    let mut edit = GradientEdit { counters, gradients: &mut *gradients, log };
    black_box(stack.on(&mut Moment::ChangeGradients(&mut edit)).unwrap());
    black_box(stack.on(&mut Moment::FinalGradients(&view!())).unwrap());
    let update = AfterUpdate { counters, horizon, weights: &weights, log };
    black_box(stack.on(&mut Moment::AfterUpdate(&update)).unwrap());
    let end = StepEnd::new(counters, horizon, 1e-3, true, &samples, log, 1.0, &requests);
    black_box(stack.on(&mut Moment::StepEnd(&end)).unwrap());
}

/// As many gradients as the demo's network has: 64-128-64-10.
fn gradients(c: &mut Criterion) {
    const NUMBERS: usize = 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10;
    let values: Vec<f32> = (0..NUMBERS).map(|i| (i as f32 * 0.37).sin() * 1e-2).collect();
    let mut group = c.benchmark_group("gradients of the demo");
    group.bench_function("norm", |b| b.iter(|| sum_of_squares(black_box(&values))));
    group.bench_function("statistics", |b| b.iter(|| TensorStats::of(black_box(&values))));
    group.finish();
}

fn stack(c: &mut Criterion) {
    let mut group = c.benchmark_group("a step's moments");
    for callbacks in [0, 20] {
        let mut stack = Stack::new();
        (0..callbacks).for_each(|_| stack.push(Nothing));
        let mut gradients = FakeGradients::of(&tensors([("0.weight", &[1])]), vec![vec![1.0]]);
        let log = MetricLog::default();
        let mut counters = Counters::default();
        group.bench_function(format!("{callbacks} callbacks"), |b| {
            b.iter(|| {
                // So that the steps that are timed are among them.
                counters.updates_attempted += 1;
                step(&mut stack, counters, &mut gradients, &log);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stack, gradients);
criterion_main!(benches);
