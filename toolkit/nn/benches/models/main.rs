//! One training step of six networks on two threads: forward, backward and AdamW's update.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

mod networks;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook_nn::task::{Device, Precision};

fn step(c: &mut Criterion) {
    networks::use_two_threads().unwrap();
    let mut group = c.benchmark_group("model");
    for model in &networks::MODELS {
        let (mut task, batch) = (model.task(Device::Cpu, Precision::F32).unwrap(), model.batch());
        group.bench_function(model.name, |b| {
            b.iter(|| black_box(networks::step(&mut *task, &batch).unwrap()));
        });
    }
    group.finish();
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    super::criterion_group!(benches, super::step);
}
criterion_main!(group::benches);
