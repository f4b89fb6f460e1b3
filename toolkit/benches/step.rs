//! One training step of the demo's network (64-128-64-10, batch 32, AdamW): a loop written by hand
//! on dfdx, the trainer without any callback, and the trainer under the demo's whole stack. Epochs of
//! 2,025 steps are measured, so that what happens once per epoch (a checkpoint, a row of progress)
//! counts as little as it does for a step.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot go on should say where"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dfdx::optim::{Adam, Optimizer, WeightDecay};
use dfdx::prelude::{
    AsArray, Backward, BuildOnDevice, Const, Cpu, Module, ModuleMut, Tensor, TensorFromVec, Trace,
    ZeroGrads, cross_entropy_with_logits_loss,
};
use dfdx::tensor_ops::AdamConfig;
use trainbook::callbacks::{FitEnd, FitStart, Moment};
use trainbook::data::{Batch, Batches, Loader};
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::store::RunWriter;
use trainbook::trainer::TrainerBuilder;

type Mlp = (Linear<64, 128>, ReLU, Linear<128, 64>, ReLU, Linear<64, 10>);
type Built = <Mlp as BuildOnDevice<Cpu, f32>>::Built;

const ROWS: usize = 64_800;
const BATCH: usize = 32;
const STEPS: u64 = (ROWS / BATCH) as u64;
/// Epochs of a turn of [`in_turn`].
const EPOCHS: u64 = 4;

/// Rows that look like digits: 64 pixels of 0 to 16 and a class that depends on them.
fn data() -> Dataset {
    let mut draws = Stream::new(Seed(0), "benchmark").at(0, 0);
    let mut features = Vec::with_capacity(ROWS * 64);
    let mut classes = Vec::with_capacity(ROWS);
    for row in 0..ROWS {
        let class = (row % 10) as u32;
        classes.push(class);
        features.extend(
            (0..64).map(|i| (draws.below(12) as u32 + if i % 10 == class { 4 } else { 0 }) as f32),
        );
    }
    let digits =
        Dataset::from_rows("made for the benchmark", 64, features, Targets::Classes(classes))
            .unwrap();
    digits.normalize(Normalize::divide_by(16.0)).unwrap()
}

/// What somebody writes who needs nothing but the step: the loss is read, as every loop does, and
/// nothing else.
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
        let config = AdamConfig {
            lr: 1e-3,
            weight_decay: Some(WeightDecay::Decoupled(1e-2)),
            ..AdamConfig::default()
        };
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
        while self.loader.next(&mut batch).unwrap() {
            let rows = batch.samples.len();
            let Targets::Classes(classes) = &batch.targets else { unreachable!() };
            let mut hot = vec![0.0; rows * 10];
            classes
                .iter()
                .enumerate()
                .for_each(|(row, class)| hot[row * 10 + *class as usize] = 1.0);
            let x: Tensor<(usize, Const<64>), f32, Cpu> =
                self.device.tensor_from_vec(batch.input.floats().to_vec(), (rows, Const));
            let y: Tensor<(usize, Const<10>), f32, Cpu> =
                self.device.tensor_from_vec(hot, (rows, Const));
            let loss =
                cross_entropy_with_logits_loss(self.model.forward_mut(x.traced(gradients)), y);
            sum += loss.array();
            gradients = loss.backward();
            self.optimizer.update(&mut self.model, &gradients).unwrap();
            self.model.zero_grads(&mut gradients);
        }
        black_box(
            self.model.forward(
                self.device
                    .tensor_from_vec(batch.input.floats().to_vec(), (batch.samples.len(), Const)),
            ),
        );
        sum
    }
}

/// The demo's whole stack.
fn demo_stack(data: &Dataset, store: &Store) -> TrainerBuilder {
    Trainer::classifier(data, Network::of::<Mlp>())
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
        .quiet() // the Progress above is the demo's, writing to nowhere
}

fn step(c: &mut Criterion) {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut group = c.benchmark_group("step");
    group.sample_size(20).throughput(Throughput::Elements(STEPS));
    let mut by_hand = ByHand::new(&data);
    group.bench_function("handwritten", |b| b.iter(|| black_box(by_hand.epoch())));
    let mut trainer = demo_stack(&data, &store).build().unwrap();
    group.bench_function("trainer", |b| {
        b.iter_custom(|epochs| {
            let started = Instant::now();
            black_box(trainer.fit(Epochs(epochs)).unwrap());
            started.elapsed()
        });
    });
    group.finish();
}

/// Whether a turn ends with this epoch.
fn ends_turn(epoch: &EpochEnd<'_>) -> bool {
    (epoch.counters.epoch + 1).is_multiple_of(EPOCHS)
}

/// Runs so many epochs and returns their seconds.
type Turn = Box<dyn FnMut() -> f64 + Send>;

/// After every few epochs of the trainer as many by hand and without callbacks, in one fit: a machine
/// that grows slower does so for all, and the beginning and end of a run are in none.
struct InTurn {
    others: [Turn; 3],
    run: Option<RunWriter>,
    began: Instant,
    /// Seconds of the trainer's turn, of the one by hand, of two without callbacks, and how many of the
    /// trainer's it waited at the end for the disk.
    turns: Arc<Mutex<Vec<[f64; 5]>>>,
}

impl Callback for InTurn {
    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.run = fit.run.cloned();
        self.began = Instant::now();
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if !ends_turn(epoch) {
            return Ok(Flow::Continue);
        }
        // What the trainer has others do in the background is its own work too, and must not fall
        // into the other's turn.
        let steps_done = self.began.elapsed().as_secs_f64();
        self.run.as_ref().map_or(Ok(()), RunWriter::flush)?;
        let trainer = self.began.elapsed().as_secs_f64();
        let [by_hand, bare, again] = &mut self.others;
        self.turns.lock().unwrap().push([
            trainer,
            by_hand(),
            bare(),
            again(),
            trainer - steps_done,
        ]);
        self.began = Instant::now();
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, _: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        self.run = None;
        Ok(())
    }
}

/// A thread of its own for one of the others, which rests while somebody else has the turn: it is told
/// when to begin, and tells how many seconds it took.
fn elsewhere(
    data: &Dataset,
    run: impl FnOnce(&Dataset, mpsc::Receiver<()>, mpsc::Sender<f64>) + Send + 'static,
) -> Turn {
    let (begin, begins) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    let data = data.clone();
    std::thread::spawn(move || run(&data, begins, end));
    Box::new(move || {
        begin.send(()).unwrap();
        ends.recv().unwrap()
    })
}

/// By hand; dfdx's optimiser could not leave its thread.
fn by_hand(data: &Dataset, begins: mpsc::Receiver<()>, end: mpsc::Sender<f64>) {
    let mut by_hand = ByHand::new(data);
    for () in begins {
        let started = Instant::now();
        (0..EPOCHS).for_each(|_| _ = black_box(by_hand.epoch()));
        end.send(started.elapsed().as_secs_f64()).unwrap();
    }
}

/// A trainer without callbacks, in one fit too.
fn bare(data: &Dataset, begins: mpsc::Receiver<()>, end: mpsc::Sender<f64>) {
    let mut trainer = Trainer::classifier(data, Network::of::<Mlp>())
        .seed(1)
        .batch_size(BATCH)
        .with(Rests { begins, end, began: Instant::now() })
        .quiet()
        .build()
        .unwrap();
    trainer.fit(Epochs(u64::MAX)).unwrap();
}

/// Told of nothing within an epoch; between two turns it waits.
struct Rests {
    begins: mpsc::Receiver<()>,
    end: mpsc::Sender<f64>,
    began: Instant,
}

impl Rests {
    fn rest(&mut self) -> Flow {
        let over = self.begins.recv().is_err();
        self.began = Instant::now();
        if over { Flow::stop("measured") } else { Flow::Continue }
    }
}

impl Callback for Rests {
    fn effects(&self) -> Effects {
        Effects::default().writes(Resource::Stop)
    }

    fn fit_start(&mut self, _: &FitStart<'_>) -> Reply {
        Ok(self.rest())
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if !ends_turn(epoch) {
            return Ok(Flow::Continue);
        }
        let over = self.end.send(self.began.elapsed().as_secs_f64()).is_err();
        Ok(if over { Flow::stop("measured") } else { self.rest() })
    }
}

fn in_turn(_: &mut Criterion) {
    const TURNS: usize = 40;
    const WARM_UP: usize = 3;
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let turns = Arc::new(Mutex::new(Vec::new()));
    let in_turn = InTurn {
        others: [elsewhere(&data, by_hand), elsewhere(&data, bare), elsewhere(&data, bare)],
        run: None,
        began: Instant::now(),
        turns: turns.clone(),
    };
    let mut trainer = demo_stack(&data, &store).with(in_turn).build().unwrap();
    let run = trainer.fit(Epochs((WARM_UP + TURNS) as u64 * EPOCHS)).unwrap();
    let turns: Vec<[f64; 5]> = turns.lock().unwrap().drain(..).skip(WARM_UP).collect();
    println!(
        "in turn, {TURNS} times {EPOCHS} epochs of {STEPS} steps, medians with their 95 % intervals:"
    );
    for (name, ratio) in [
        ("trainer with the demo's stack / by hand", |[all, by_hand, ..]: &[f64; 5]| all / by_hand),
        ("trainer without callbacks / by hand", |[_, by_hand, bare, ..]| bare / by_hand),
        ("trainer with the demo's stack / without callbacks", |[all, _, bare, ..]| all / bare),
        // Of two that do the same: what the other ratios cannot tell.
        ("trainer without callbacks / another", |[_, _, bare, again, _]| again / bare),
    ] as [(&str, fn(&[f64; 5]) -> f64); 4]
    {
        println!("{name:<50} {}", median(turns.iter().map(ratio)));
    }
    let steps_of_turn = (STEPS * EPOCHS) as f64;
    for (name, seconds) in [
        ("a step with the demo's stack, µs", |[all, ..]: &[f64; 5]| *all),
        ("of that, waiting for the disk at a turn's end", |[.., disk]| *disk),
        ("a step without callbacks, µs", |[_, _, bare, ..]| *bare),
    ] as [(&str, fn(&[f64; 5]) -> f64); 3]
    {
        println!("{name:<50} {}", median(turns.iter().map(|t| seconds(t) * 1e6 / steps_of_turn)));
    }
    let mut of_callbacks = BTreeMap::<&str, f64>::new();
    for cost in run.callback_costs().iter().filter(|cost| Moment::is_name_of_step(&cost.moment)) {
        *of_callbacks.entry(cost.callback.as_str()).or_default() += cost.seconds;
    }
    let steps = steps_of_turn * (WARM_UP + TURNS) as f64;
    for (callback, seconds) in of_callbacks {
        println!(
            "{:<50} {:.3}",
            format!("{callback} in the steps, µs a step"),
            seconds * 1e6 / steps
        );
    }
}

/// The median, and the order statistics between which it lies with 95 %: n/2 ± 0.98 √n.
fn median(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
    let reach = 0.98 / (values.len() as f64).sqrt();
    format!("{:.3} ({:.3} to {:.3})", at(0.5), at(0.5 - reach), at(0.5 + reach))
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    super::criterion_group!(benches, super::step, super::in_turn);
}
criterion_main!(group::benches);
