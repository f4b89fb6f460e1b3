//! The learning-rate finder beside the best of a real sweep:
//! `cargo run --release -p trainbook --example lr_sweep [--seeds N] [PROBLEM…]`.
//!
//! Five problems, seeds 1 to 5 or N. A sweep trains at each of twelve constant rates, a factor of 2.3
//! apart, and the best is that with the least validation loss of any epoch, on average over the
//! seeds. The finder is asked once for each seed.

#[path = "accuracy/hamlet.rs"]
mod hamlet;

use std::error::Error;
use std::path::Path;

use trainbook::nn::layer::Conv2d;
use trainbook::prelude::*;
use trainbook::trainer::{Length, TrainerBuilder};

/// The lowest rate of the sweep, how many there are, and how far apart.
const LOWEST: f64 = 1e-4;
const RATES: i32 = 12;
const APART: f64 = 2.310_129_700_083_16; // the eleventh root of 10⁴
/// A suggestion should be no further than this from the best rate.
const NEAR: f64 = 3.0;

type Problem = fn(u64) -> Result<TrainerBuilder, Box<dyn Error>>;

const PROBLEMS: [(&str, Problem, Length); 5] = [
    ("quadratic", quadratic, Length::Epochs(1)),
    ("digits-mlp", digits_mlp, Length::Epochs(10)),
    ("mnist-cnn", mnist_cnn, Length::Epochs(2)),
    ("mpg-mlp", mpg_mlp, Length::Epochs(50)),
    ("hamlet-lm", hamlet_lm, Length::Steps(300)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut seeds = 5;
    if let Some(at) = wanted.iter().position(|wanted| wanted == "--seeds") {
        seeds = wanted.get(at + 1).ok_or("--seeds wants a number")?.parse()?;
        wanted.drain(at..at + 2);
    }
    let rates: Vec<f64> = (0..RATES).map(|at| LOWEST * APART.powi(at)).collect();
    for (name, problem, length) in PROBLEMS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let mut sweep = Vec::new();
        for &rate in &rates {
            let mut losses = Vec::new();
            for seed in 1..=seeds {
                losses.push(best_loss(problem(seed)?.learning_rate(rate), length)?);
            }
            sweep.push(losses.iter().sum::<f64>() / losses.len() as f64);
        }
        let best = (0..rates.len()).min_by(|&a, &b| sweep[a].total_cmp(&sweep[b])).unwrap_or(0);
        println!("{name}: the best rate is {:.2e} (loss {:.4})", rates[best], sweep[best]);
        for (rate, loss) in rates.iter().zip(&sweep) {
            println!("  {rate:.2e} {loss:.4}");
        }
        for seed in 1..=seeds {
            let curve = problem(seed)?.build()?.find_lr()?;
            let found = curve.suggestion();
            let loss = best_loss(problem(seed)?.learning_rate(found), length)?;
            let off = (found / rates[best]).max(rates[best] / found);
            println!(
                "  seed {seed}: {found:.2e}, {off:.1} times off{}, loss there {loss:.4} (steepest {:.2e}, valley \
                 {:.2e}, minimum/10 {:.2e})",
                if off <= NEAR { "" } else { " (TOO FAR)" },
                curve.suggestions().steepest,
                curve.suggestions().valley,
                curve.suggestions().minimum_tenth,
            );
        }
    }
    Ok(())
}

/// The least validation loss of any epoch; infinite where it is no number.
fn best_loss(builder: TrainerBuilder, length: Length) -> Result<f64, Box<dyn Error>> {
    let run = builder.build()?.fit(length)?;
    let losses = run.history().iter().flat_map(|row| &row.metrics);
    let losses = losses.filter(|metric| metric.name == "val_loss").map(|metric| metric.value);
    Ok(losses.filter(|loss| loss.is_finite()).fold(f64::INFINITY, f64::min))
}

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../notebooks/data").join(name)
}

/// A linear network on features of ±1 that are orthogonal: under the mean squared error its Hessian
/// is twice the identity, and gradient descent is done in one step at a rate of ½ and diverges at 1.
/// The targets are noisy.
fn quadratic(seed: u64) -> Result<TrainerBuilder, Box<dyn Error>> {
    let mut draws = trainbook::random::Stream::new(Seed(seed), "quadratic").at(0, 0);
    let sign = |row: usize, column: usize| 1.0 - 2.0 * ((row & column).count_ones() % 2) as f32;
    let weights: Vec<f32> = (0..16).map(|_| draws.normal() as f32).collect();
    let (mut features, mut values) = (Vec::new(), Vec::new());
    for row in 0..1600 {
        let x: Vec<f32> = (1..17).map(|column| sign(row % 32, column)).collect();
        let y: f32 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
        values.push(y + 0.1 * draws.normal() as f32);
        features.extend(x);
    }
    let data = Dataset::from_rows("a quadratic", 16, features, Targets::Values(values))?
        .split(Split::random(0.8, 0.2, 0.0), Seed(seed))?;
    let net = Sequential::new().linear(1);
    let plain = Sgd { momentum: 0.0, ..Sgd::default() };
    Ok(Trainer::regressor(&data, net).optimizer(plain).seed(seed).quiet())
}

fn digits_mlp(seed: u64) -> Result<TrainerBuilder, Box<dyn Error>> {
    let digits = Dataset::csv(data("digits.csv.gz"))?
        .target(Column::last())?
        .normalize(Normalize::divide_by(16.0))?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?;
    let net = Sequential::new().linear(128).relu().linear(64).relu().linear(10);
    Ok(Trainer::classifier(&digits, net).seed(seed).quiet())
}

fn mnist_cnn(seed: u64) -> Result<TrainerBuilder, Box<dyn Error>> {
    let mnist = Dataset::csv(data("mnist-5k.csv.gz"))?
        .target(Column::last())?
        .image(1, 28, 28)?
        .normalize(Normalize::divide_by(255.0))?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))?;
    let conv = |filters| Conv2d::new(filters, 3).padding(1);
    let net = Sequential::new().with(conv(16)).relu().max_pool2d(2).with(conv(32)).relu();
    let net = net.max_pool2d(2).flatten().linear(64).relu().linear(10);
    Ok(Trainer::classifier(&mnist, net).batch_size(64).seed(seed).quiet())
}

fn mpg_mlp(seed: u64) -> Result<TrainerBuilder, Box<dyn Error>> {
    let cars = Dataset::csv(data("auto-mpg.csv"))?
        .ignore("name")?
        .target_values("mpg")?
        .normalize(Normalize::standard())?
        .scale_targets(TargetScaling::Standard)?
        .split(Split::random(0.8, 0.2, 0.0), Seed(seed))?;
    let net = Sequential::new().linear(64).relu().linear(64).relu().linear(1);
    Ok(Trainer::regressor(&cars, net).seed(seed).quiet())
}

/// The recipe of `cargo xtask accuracy hamlet-lm`, at a constant rate.
fn hamlet_lm(seed: u64) -> Result<TrainerBuilder, Box<dyn Error>> {
    let (text, net) = hamlet::text_and_net(data("hamlet.txt.gz"), seed)?;
    let clip = Clip::global_norm(1.0);
    Ok(Trainer::classifier(&text, net).batch_size(16).with(clip).seed(seed).quiet())
}
