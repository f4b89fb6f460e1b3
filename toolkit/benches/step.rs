//! One training step of the demo's network (64-128-64-10, batch 32, AdamW): a loop written by hand on dfdx, and the trainer under the demo's
//! whole callback stack. An epoch of 2,025 steps is measured, so that what happens once per epoch (a checkpoint, a row of progress) counts as
//! little as it does for a step.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on should say where")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dfdx::optim::{Adam, Optimizer, WeightDecay};
use dfdx::prelude::{
    AsArray, Backward, BuildOnDevice, Const, Cpu, Module, ModuleMut, Tensor, TensorFromVec, Trace, ZeroGrads,
    cross_entropy_with_logits_loss,
};
use dfdx::tensor_ops::AdamConfig;
use trainbook::data::{Batch, Loader};
use trainbook::prelude::*;
use trainbook::random::Stream;

type Mlp = (Linear<64, 128>, ReLU, Linear<128, 64>, ReLU, Linear<64, 10>);
type Built = <Mlp as BuildOnDevice<Cpu, f32>>::Built;

const ROWS: usize = 64_800;
const BATCH: usize = 32;
const STEPS: u64 = (ROWS / BATCH) as u64;

/// Rows that look like digits: 64 pixels of 0 to 16 and a class that depends on them.
fn data() -> Dataset {
    let mut draws = Stream::new(Seed(0), "benchmark").at(0, 0);
    let mut features = Vec::with_capacity(ROWS * 64);
    let mut classes = Vec::with_capacity(ROWS);
    for row in 0..ROWS {
        let class = (row % 10) as u32;
        classes.push(class);
        features.extend((0..64).map(|i| (draws.below(12) as u32 + if i % 10 == class { 4 } else { 0 }) as f32));
    }
    let digits = Dataset::from_rows("made for the benchmark", 64, features, Targets::Classes(classes)).unwrap();
    digits.normalize(Normalize::divide_by(16.0)).unwrap()
}

/// What somebody writes who needs nothing but the step: the loss is read, as every loop does, and nothing else.
struct ByHand {
    device: Cpu,
    model: Built,
    optimizer: Adam<Built, f32, Cpu>,
    loader: Loader,
    epoch: u64,
}

impl ByHand {
    fn new(data: &Dataset) -> Self {
        let device = Cpu::default();
        let model = Mlp::build_on_device(&device);
        let config = AdamConfig { lr: 1e-3, weight_decay: Some(WeightDecay::Decoupled(1e-2)), ..AdamConfig::default() };
        let optimizer = Adam::new(&model, config);
        let loader = Loader::new(data, Part::Train, BATCH, Some(Stream::new(Seed(1), "shuffle")));
        Self { device, model, optimizer, loader, epoch: 0 }
    }

    fn epoch(&mut self) -> f32 {
        let mut batch = Batch::default();
        let mut sum = 0.0;
        let mut gradients = self.model.alloc_grads();
        self.loader.start(self.epoch);
        self.epoch += 1;
        while self.loader.next(&mut batch) {
            let rows = batch.samples.len();
            let Targets::Classes(classes) = &batch.targets else { unreachable!() };
            let mut hot = vec![0.0; rows * 10];
            classes.iter().enumerate().for_each(|(row, class)| hot[row * 10 + *class as usize] = 1.0);
            let x: Tensor<(usize, Const<64>), f32, Cpu> =
                self.device.tensor_from_vec(batch.features.clone(), (rows, Const));
            let y: Tensor<(usize, Const<10>), f32, Cpu> = self.device.tensor_from_vec(hot, (rows, Const));
            let loss = cross_entropy_with_logits_loss(self.model.forward_mut(x.traced(gradients)), y);
            sum += loss.array();
            gradients = loss.backward();
            self.optimizer.update(&mut self.model, &gradients).unwrap();
            self.model.zero_grads(&mut gradients);
        }
        black_box(
            self.model.forward(self.device.tensor_from_vec(batch.features.clone(), (batch.samples.len(), Const))),
        );
        sum
    }
}

fn trainer(data: &Dataset, store: &Store) -> Trainer {
    Trainer::classifier::<Mlp>(data)
        .seed(1)
        .batch_size(BATCH)
        .with(LrSchedule::one_cycle(1e-3))
        .with(NanGuard::new())
        .with(every(10, GradientMonitor::new()))
        .with(Clip::global_norm(1.0))
        .with(EarlyStopping::on("train_loss").patience(u64::MAX).restore_best())
        .with(Checkpoint::best("train_loss"))
        .with(Progress::to(Box::new(std::io::sink())))
        .store(store)
        .quiet()
        .build()
        .unwrap()
}

fn step(c: &mut Criterion) {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut group = c.benchmark_group("step");
    group.sample_size(20).throughput(Throughput::Elements(STEPS));
    let mut by_hand = ByHand::new(&data);
    group.bench_function("handwritten", |b| b.iter(|| black_box(by_hand.epoch())));
    let mut trainer = trainer(&data, &store);
    group.bench_function("trainer", |b| {
        b.iter_custom(|epochs| {
            let started = Instant::now();
            black_box(trainer.fit(Epochs(epochs)).unwrap());
            started.elapsed()
        });
    });
    group.finish();
}

/// The two in turn, so that a machine that grows slower does so for both: the median of the ratios of neighbours. A turn is four epochs,
/// because a fit also begins and ends a run, which is no part of a step.
fn in_turn(_: &mut Criterion) {
    const PAIRS: usize = 15;
    const EPOCHS: u64 = 4;
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (mut by_hand, mut trainer) = (ByHand::new(&data), trainer(&data, &store));
    let pair = |_| {
        let started = Instant::now();
        for _ in 0..EPOCHS {
            black_box(by_hand.epoch());
        }
        let base = started.elapsed();
        black_box(trainer.fit(Epochs(EPOCHS)).unwrap());
        (started.elapsed() - base).as_secs_f64() / base.as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..=PAIRS).map(pair).skip(1).collect(); // the first warms up
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[(share * (PAIRS - 1) as f64) as usize];
    println!("in turn, {PAIRS} pairs: trainer / by hand {:.3} (quartiles {:.3} to {:.3})", at(0.5), at(0.25), at(0.75));
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    super::criterion_group!(benches, super::step, super::in_turn);
}
criterion_main!(group::benches);
