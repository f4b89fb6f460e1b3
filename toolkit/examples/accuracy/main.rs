//! How well the library learns, beside PyTorch on the same recipes:
//! `cargo xtask accuracy [--json] [--seeds FIRST-LAST] [TASK…]`.
//!
//! Two tasks have few rows to be trained on, and are beside the same without augmentation; two train
//! under mixed precision, and are beside the same in f32.
//! PyTorch's figures stand in `reference.json`, written by `tests/python/measure_accuracy.py`.
//! Seeds 1 to 5, or those that are named, draw the split, the weights, the order, and for the waves the data.

mod hamlet;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainbook::nn::layer::{Conv1d, Conv2d};
use trainbook::prelude::*;
use trainbook::random::Stream;

#[derive(Deserialize)]
struct Reference {
    mean: f64,
}

/// What one task comes to.
#[derive(Serialize)]
struct Task {
    metric: &'static str,
    ours: Vec<f64>,
    mean: f64,
    /// Whose figure the reference is: PyTorch's, or ours without augmentation or in f32.
    beside: &'static str,
    reference: f64,
}

/// A task under a seed: its metric.
type Run = fn(u64) -> Result<f64, Box<dyn Error>>;

/// Its name, its metric, and what it is compared with under which name, where that is not PyTorch.
type Named = (&'static str, &'static str, Run, Option<(&'static str, Run)>);

const TASKS: [Named; 10] = [
    ("digits-mlp", "test_accuracy", |seed| digits_mlp(Precision::F32, seed), None),
    ("digits-cnn", "test_accuracy", digits_cnn, None),
    ("mnist-cnn", "test_accuracy", |seed| mnist_cnn(Precision::F32, seed), None),
    ("hamlet-lm", "val_loss", hamlet_lm, None),
    ("waves-cnn", "test_accuracy", waves_cnn, None),
    ("mpg-mlp", "test_rmse", mpg_mlp, None),
    (
        "waves-60-augmented",
        "test_accuracy",
        |seed| waves_60(seed, Some(of_waves())),
        Some(("without", |seed| waves_60(seed, None))),
    ),
    (
        "mnist-200-augmented",
        "test_accuracy",
        |seed| mnist_200(seed, Some(of_digits())),
        Some(("without", |seed| mnist_200(seed, None))),
    ),
    (
        "digits-mlp-mixed",
        "test_accuracy",
        |seed| digits_mlp(Precision::Mixed, seed),
        Some(("f32", |seed| digits_mlp(Precision::F32, seed))),
    ),
    (
        "mnist-cnn-mixed",
        "test_accuracy",
        |seed| mnist_cnn(Precision::Mixed, seed),
        Some(("f32", |seed| mnist_cnn(Precision::F32, seed))),
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args.iter().any(|arg| arg == "--json");
    let mut wanted: Vec<&String> = args.iter().filter(|arg| *arg != "--json").collect();
    let mut seeds = 1..=5;
    if let Some(at) = wanted.iter().position(|arg| *arg == "--seeds") {
        let range = wanted.get(at + 1).and_then(|range| range.split_once('-'));
        let (first, last) = range.ok_or("--seeds wants the first and the last, such as 11-20")?;
        seeds = first.parse()?..=last.parse()?;
        wanted.drain(at..at + 2);
    }
    if let Some(unknown) = wanted.iter().find(|name| TASKS.iter().all(|(task, ..)| task != **name))
    {
        let known: Vec<_> = TASKS.iter().map(|(task, ..)| *task).collect();
        return Err(format!("there is no task {unknown}; there are {}", known.join(", ")).into());
    }
    let reference: BTreeMap<String, Reference> =
        serde_json::from_str(include_str!("reference.json"))?;
    let mut tasks = BTreeMap::new();
    for (name, metric, run, other) in TASKS {
        if !wanted.is_empty() && wanted.iter().all(|wanted| *wanted != name) {
            continue;
        }
        let of_seeds = |run: Run| seeds.clone().map(run).collect::<Result<Vec<f64>, _>>();
        let mean_of = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let ours = of_seeds(run)?;
        let mean = mean_of(&ours);
        let (beside, reference) = match other {
            Some((what, other)) => (what, mean_of(&of_seeds(other)?)),
            None => ("PyTorch", reference.get(name).map_or(f64::NAN, |of| of.mean)),
        };
        if !json {
            println!("{name:<20} {metric:<14} {mean:.4}   {beside} {reference:.4}   {ours:.4?}");
        }
        tasks.insert(name, Task { metric, ours, mean, beside, reference });
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&tasks)?);
    }
    Ok(())
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../notebooks/data").join(name)
}

/// Trains as every task but the text does, and returns the test accuracy.
fn accuracy(
    data: &Dataset,
    net: Sequential,
    seed: u64,
    epochs: u64,
    batch: usize,
    precision: Precision,
) -> Result<f64, Box<dyn Error>> {
    let mut trainer = Trainer::classifier(data, net)
        .seed(seed)
        .init(Init::kaiming_uniform()) // these are networks of ReLUs
        .batch_size(batch)
        .optimizer(AdamW::default())
        .precision(precision)
        .with(LrSchedule::one_cycle(3e-3))
        .quiet()
        .build()?;
    let run = trainer.fit(Epochs(epochs))?;
    run.evaluate(Part::Test)?.accuracy().ok_or_else(|| "these are no classes".into())
}

fn digits(seed: u64) -> Result<Dataset, Box<dyn Error>> {
    Ok(Dataset::csv(data("digits.csv.gz"))?
        .target(Column::last())?
        .normalize(Normalize::divide_by(16.0))?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?)
}

fn digits_mlp(precision: Precision, seed: u64) -> Result<f64, Box<dyn Error>> {
    let net = Sequential::new().linear(128).relu().linear(64).relu().linear(10);
    accuracy(&digits(seed)?, net, seed, 30, 32, precision)
}

/// 16 and 32 filters of 3 × 3, each with a maximum over 2 × 2 behind it, and 64 units.
fn cnn() -> Sequential {
    let conv = |filters| Conv2d::new(filters, 3).padding(1);
    let net = Sequential::new().with(conv(16)).relu().max_pool2d(2);
    net.with(conv(32)).relu().max_pool2d(2).flatten().linear(64).relu().linear(10)
}

fn digits_cnn(seed: u64) -> Result<f64, Box<dyn Error>> {
    accuracy(&digits(seed)?.image(1, 8, 8)?, cnn(), seed, 30, 32, Precision::F32)
}

fn mnist() -> Result<Dataset, Box<dyn Error>> {
    Ok(Dataset::csv(data("mnist-5k.csv.gz"))?
        .target(Column::last())?
        .image(1, 28, 28)?
        .normalize(Normalize::divide_by(255.0))?)
}

fn mnist_cnn(precision: Precision, seed: u64) -> Result<f64, Box<dyn Error>> {
    let mnist = mnist()?.split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?;
    accuracy(&mnist, cnn(), seed, 10, 64, precision)
}

/// Three families of waves, 200 of each: sine, square and sawtooth, of one to four periods in 64
/// values, at any phase, under noise of deviation 0.3.
fn waves(seed: u64) -> Result<Dataset, Box<dyn Error>> {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for row in 0..600_u64 {
        let mut draws = Stream::new(Seed(seed), "waves").at(0, row);
        let (periods, phase) = (draws.uniform(1.0, 4.0), draws.unit());
        let family = row % 3;
        for i in 0..64 {
            let at = (periods * f64::from(i) / 64.0 + phase).fract();
            let sine = (std::f64::consts::TAU * at).sin();
            let value = match family {
                0 => sine,
                1 => sine.signum(),
                _ => 2.0 * at - 1.0,
            };
            values.push((value + 0.3 * draws.normal()) as f32);
        }
        classes.push(family as u32);
    }
    Ok(Dataset::from_rows("three families of waves", 64, values, Targets::Classes(classes))?
        .series(1, 64)?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?)
}

fn waves_net() -> Sequential {
    let net = Sequential::new().with(Conv1d::new(16, 5)).relu().max_pool1d(2);
    net.with(Conv1d::new(32, 5)).relu().global_avg_pool().linear(3)
}

fn waves_cnn(seed: u64) -> Result<f64, Box<dyn Error>> {
    accuracy(&waves(seed)?, waves_net(), seed, 30, 32, Precision::F32)
}

fn of_waves() -> Augment {
    Augment::series().jitter(0.3).time_warp(0.3)
}

fn of_digits() -> Augment {
    Augment::images().crop(3).rotate(12.0)
}

/// 60 waves to be trained on, 480 to be tested on.
fn waves_60(seed: u64, augment: Option<Augment>) -> Result<f64, Box<dyn Error>> {
    let data = waves(seed)?.split(Split::stratified(0.1, 0.1, 0.8), Seed(seed))?;
    few(&data, waves_net(), seed, augment, 400)
}

/// 200 digits to be trained on, 4,500 to be tested on.
fn mnist_200(seed: u64, augment: Option<Augment>) -> Result<f64, Box<dyn Error>> {
    let data = mnist()?.split(Split::stratified(0.04, 0.06, 0.9), Seed(seed))?;
    few(&data, cnn(), seed, augment, 100)
}

/// The test accuracy after so many epochs of few rows.
fn few(
    data: &Dataset,
    net: Sequential,
    seed: u64,
    augment: Option<Augment>,
    epochs: u64,
) -> Result<f64, Box<dyn Error>> {
    let mut trainer = Trainer::classifier(data, net)
        .seed(seed)
        .init(Init::kaiming_uniform())
        .batch_size(20)
        .augment(augment)
        .with(LrSchedule::one_cycle(3e-3))
        .quiet()
        .build()?;
    let run = trainer.fit(Epochs(epochs))?;
    run.evaluate(Part::Test)?.accuracy().ok_or_else(|| "these are no classes".into())
}

/// Miles a gallon of 40 cars, with 312 to be trained on: from the raw table, with the origin as three
/// features and targets on a common scale.
fn mpg_mlp(seed: u64) -> Result<f64, Box<dyn Error>> {
    let cars = Dataset::csv(data("auto-mpg.csv"))?
        .ignore("name")?
        .target_values("mpg")?
        .normalize(Normalize::standard())?
        .scale_targets(TargetScaling::Standard)?
        .split(Split::random(312.0 / 392.0, 40.0 / 392.0, 40.0 / 392.0), Seed(seed))?;
    let net = Sequential::new().linear(64).relu().linear(64).relu().linear(1);
    let mut trainer = Trainer::regressor(&cars, net)
        .seed(seed)
        .metric(metric::RootMeanSquare)
        .optimizer(AdamW::default())
        .with(LrSchedule::one_cycle(1e-3))
        .quiet()
        .build()?;
    let run = trainer.fit(Epochs(100))?;
    run.evaluate(Part::Test)?.metric("rmse").ok_or_else(|| "the metric is missing".into())
}

/// Two blocks of 128 features, 4 heads and 256 hidden units on 64 characters, 1,000 steps of 16.
fn hamlet_lm(seed: u64) -> Result<f64, Box<dyn Error>> {
    let (text, net) = hamlet::text_and_net(data("hamlet.txt.gz"), seed)?;
    let mut trainer = Trainer::classifier(&text, net)
        .seed(seed)
        .batch_size(16)
        .optimizer(AdamW::default())
        .with(LrSchedule::one_cycle(3e-3))
        .with(Clip::global_norm(1.0))
        .quiet()
        .build()?;
    let run = trainer.fit(Steps(1000))?;
    if seed == 1 {
        eprintln!("{}", run.write("HAMLET.\n", 300, 0.8, Seed(1))?);
    }
    Ok(run.evaluate(Part::Validation)?.loss)
}
