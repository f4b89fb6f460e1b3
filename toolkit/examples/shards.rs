//! Training from shards beside training from memory: 200,000 images of 3 × 32 × 32, 2.5 GB as f32,
//! an epoch of a small convolutional network. Prints epochs per mode, the ratio of their medians, the
//! most memory that the first of each took, and whether the weights are the same.
//!
//! `cargo run --release --package trainbook --example shards [ROWS]`

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use trainbook::data::{Batch, DataError, Source, Targets};
use trainbook::prelude::*;
use trainbook::random::Stream;

const SHAPE: [usize; 3] = [3, 32, 32];
const WIDTH: usize = 3 * 32 * 32;
const CLASSES: u64 = 10;
const PER_SHARD: usize = 10_000;
const TRIES: usize = 3;

/// Images that are made whenever they are read: noise, brighter at a place that the class says.
#[derive(Debug)]
struct Made {
    targets: Targets,
    feature_names: Vec<String>,
    class_names: Vec<String>,
}

impl Made {
    fn new(rows: usize) -> Self {
        let classes = (0..rows as u64).map(|row| Stream::new(Seed(0), "class").at(0, row));
        let classes = classes.map(|mut draws| draws.below(CLASSES) as u32).collect();
        Self {
            targets: Targets::Classes(classes),
            feature_names: (0..WIDTH).map(|i| i.to_string()).collect(),
            class_names: (0..CLASSES).map(|i| i.to_string()).collect(),
        }
    }
}

impl Source for Made {
    fn len(&self) -> usize {
        self.targets.len()
    }

    fn name(&self) -> &str {
        "made images"
    }

    fn shape(&self) -> &[usize] {
        &SHAPE
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.class_names)
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, 1);
        let Targets::Classes(classes) = &self.targets else { return Ok(()) };
        let pixels = batch.input.refill_f32([rows.len(), 3, 32, 32]);
        for (image, &row) in pixels.chunks_exact_mut(WIDTH).zip(rows) {
            let mut draws = Stream::new(Seed(0), "image").at(0, row as u64);
            let bright = 100 * classes[row] as usize;
            for (at, pixel) in image.iter_mut().enumerate() {
                let more = if (bright..bright + 100).contains(&(at % 1024)) { 60 } else { 0 };
                *pixel = (draws.below(190) + more) as f32 / 255.0;
            }
        }
        Ok(())
    }
}

/// All rows of a source as a data set in memory.
fn in_memory(source: Made) -> Result<Dataset, Box<dyn Error>> {
    let made = Dataset::from_source(source)?;
    let rows: Vec<usize> = (0..made.len()).collect();
    let Some(Targets::Classes(classes)) = made.targets() else { return Err("no classes".into()) };
    let classes = classes.iter().map(|&class| i64::from(class)).collect();
    let classes = Array::i64([rows.len()], classes);
    Ok(Dataset::from_arrays("made images", made.raw(&rows)?, classes)?)
}

/// The most memory that this process has had, in MB; "?" where the system does not say.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.map_or_else(|| "?".to_owned(), |kib| (kib * 1024 / 1_000_000).to_string())
}

/// One epoch: seconds, memory and the hash of the weights, in one line for the process that asked.
fn epoch(data: Dataset, prefetch: usize) -> Result<(), Box<dyn Error>> {
    let data = data.split(Split::random(0.98, 0.02, 0.0), Seed(1))?;
    let net = Sequential::new().conv2d(16, 3).relu().max_pool2d(2).conv2d(32, 3).relu();
    let net = net.max_pool2d(2).conv2d(32, 3).relu().global_avg_pool().linear(10);
    let trainer = Trainer::classifier(&data, net).seed(1).batch_size(64).learning_rate(1e-3);
    let mut trainer = trainer.prefetch(prefetch).quiet().build()?;
    let begun = Instant::now();
    let run = trainer.fit(Epochs(1))?;
    println!("{} {} {}", begun.elapsed().as_secs_f64(), most_memory(), run.weights_sha256());
    Ok(())
}

/// What a process of its own says of an epoch.
struct Outcome {
    seconds: f64,
    memory: String,
    weights: String,
}

fn ask(mode: &str, folder: &Path, rows: usize) -> Result<Outcome, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([mode, &rows.to_string()]).arg(folder).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().unwrap_or_default();
    let mut words = line.split(' ').map(str::to_owned);
    let mut next = || words.next().ok_or(format!("{mode} said {text:?}"));
    Ok(Outcome { seconds: next()?.parse()?, memory: next()?, weights: next()? })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rows, folder] = &args[..] {
        let shards = Path::new(folder).join("shards");
        return match mode.as_str() {
            "write" => {
                let made = Dataset::from_source(Made::new(rows.parse()?))?;
                made.write_shards(shards, PER_SHARD)?;
                println!("0 {} none", most_memory());
                Ok(())
            }
            "memory" => epoch(in_memory(Made::new(rows.parse()?))?, 0),
            "shards" => epoch(Dataset::shards(shards)?, 0),
            "prefetched" => epoch(Dataset::shards(shards)?, 4),
            other => Err(format!("no mode {other}").into()),
        };
    }
    let rows = args.first().map_or(Ok(200_000), |rows| rows.parse())?;
    let folder = std::env::temp_dir().join(format!("trainbook-shards-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder, rows);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    let wrote = ask("write", folder, rows)?;
    println!("{rows} images written into shards, with at most {} MB of memory", wrote.memory);
    let modes = ["memory", "shards", "prefetched"];
    let mut of_modes: Vec<Vec<Outcome>> = modes.iter().map(|_| Vec::new()).collect();
    for _ in 0..TRIES {
        for (mode, outcomes) in modes.iter().zip(&mut of_modes) {
            outcomes.push(ask(mode, folder, rows)?);
        }
    }
    let seconds =
        |outcomes: &[Outcome]| median(outcomes.iter().map(|outcome| outcome.seconds).collect());
    let of_memory = seconds(&of_modes[0]);
    println!("{:<12} {:>10} {:>8} {:>10}", "", "epoch", "speed", "memory");
    for (mode, outcomes) in modes.iter().zip(&of_modes) {
        let memory = &outcomes[0].memory;
        let seconds = seconds(outcomes);
        println!("{mode:<12} {seconds:>8.2} s {:>8.3} {memory:>7} MB", of_memory / seconds);
    }
    let first = &of_modes[0][0].weights;
    if of_modes.iter().flatten().any(|outcome| outcome.weights != *first) {
        return Err("the networks differ".into());
    }
    println!("all {} networks have the same weights", modes.len() * TRIES);
    Ok(())
}
