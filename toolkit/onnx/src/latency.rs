//! How long ONNX Runtime takes for a file, by batch size and threads.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use serde::Serialize;

use super::array::{Array, Numbers};
use super::file;
use super::overview::Overview;
use super::value::{Dim, Element, Value};
use super::verifier::EngineUsed;
use super::{Session, runtime};
use crate::Error;
use trainbook_core::random::{Seed, Stream};
use trainbook_core::text_table::{Align, Table};

/// For files that leave the batch free.
const BATCHES: [usize; 4] = [1, 8, 32, 128];
/// What stands for every other size that the file leaves free.
const LENGTH: usize = 16;
/// More numbers in one input are refused before the machine runs out of memory.
const MOST_NUMBERS: usize = 1 << 28;
const MOST_THREADS: usize = 1024;
/// However slow the model is.
const FEWEST_RUNS: usize = 5;

/// What [`latency()`] measures.
#[derive(Clone, Debug)]
pub struct LatencyOptions {
    /// Rows per run. Empty means 1, 8, 32 and 128, or the one that the file fixes.
    pub batches: Vec<usize>,
    /// Threads for the work within one operator. Empty means 1, and as many as the processor has.
    pub threads: Vec<usize>,
    /// How often each combination runs at least, after a warm-up; 100. The time comes before it.
    pub runs: usize,
    /// How long each combination runs at least; 0.2 s. After two and a half times as long it ends
    /// with the runs that it has, if they are at least five.
    pub time: Duration,
    /// Where ONNX Runtime is; `None` searches it as [`find`](super::find) says.
    pub runtime: Option<PathBuf>,
}

impl Default for LatencyOptions {
    fn default() -> Self {
        Self {
            batches: Vec::new(),
            threads: Vec::new(),
            runs: 100,
            time: Duration::from_millis(200),
            runtime: None,
        }
    }
}

/// How fast a file is, beside what it costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencyReport {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How many parameters it holds; see [`Overview::parameters`].
    pub parameters: u64,
    /// Floating-point operations for one row; see [`Overview::flops`].
    pub flops: u64,
    /// How many nodes have unknown FLOPs. If there are any, `flops` is a lower bound.
    pub flops_unknown: usize,
    /// The processor, where the system tells it. [`latency()`] leaves it open;
    /// `trainbook::onnx::latency` asks the system.
    pub cpu_model: Option<String>,
    /// What ran it.
    pub measured_in: EngineUsed,
    /// The sizes that the file leaves free beside the batch, and what was put there. A size without
    /// a name is called "?".
    pub lengths: BTreeMap<String, usize>,
    /// One for each batch size and number of threads.
    pub latencies: Vec<Latency>,
}

/// The latency of one batch size with one number of threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Rows per run.
    pub batch: usize,
    /// Threads for the work within one operator.
    pub threads: usize,
    /// How many runs were timed.
    pub runs: usize,
    /// Half of the runs took no longer, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 runs took no longer, in microseconds. The slowest run, if there were fewer than
    /// 100.
    pub p99_us: f64,
    /// At the median.
    pub rows_per_second: f64,
}

/// Measures how long ONNX Runtime takes for the file at `path`, of any tool, whose inputs are
/// tensors of floats or int64: floats between −1 and 1, integers 0. The time is that from the
/// inputs in memory to the outputs in memory.
///
/// # Errors
/// [`Error::Read`] and [`Error::OnnxFile`] as [`overview()`](super::overview()) has them, and for
/// inputs of other types, for data in other files and for what ONNX Runtime refuses;
/// [`Error::Setting`] for batch sizes and threads that cannot be; [`Error::Runtime`] without ONNX
/// Runtime.
pub fn latency(path: impl AsRef<Path>, options: &LatencyOptions) -> Result<LatencyReport, Error> {
    let path = path.as_ref();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads =
        if options.threads.is_empty() { distinct(&[1, cores]) } else { distinct(&options.threads) };
    for &threads in &threads {
        if threads == 0 || threads > MOST_THREADS {
            return Err(setting("threads", threads, format!("between 1 and {MOST_THREADS}")));
        }
    }
    let bytes = Bytes::from(file::read(path)?);
    let about = Overview::from_bytes(path, bytes.clone())?;
    if let Some(file) = about.external_files.first() {
        let reason = format!("it keeps data in {file:?}; save the model with its data in one file");
        return Err(Error::OnnxFile { path: path.into(), reason });
    }
    let runtime = runtime::load(options.runtime.as_deref())?;
    let (mut lengths, mut latencies) = (BTreeMap::new(), Vec::new());
    for threads in threads {
        let session = Session::with_threads(runtime, path, &bytes, true, threads)?;
        lengths = free_lengths(session.inputs());
        for batch in batches(session.inputs(), &options.batches)? {
            latencies.push(measure(&session, batch, threads, options)?);
        }
    }
    Ok(LatencyReport {
        path: path.into(),
        bytes: about.bytes,
        parameters: about.parameters,
        flops: about.flops,
        flops_unknown: about.flops_unknown,
        cpu_model: None,
        measured_in: runtime.into(),
        lengths,
        latencies,
    })
}

fn setting(setting: &'static str, value: usize, expected: String) -> Error {
    Error::Setting { setting, value: value.to_string(), expected }
}

fn distinct(numbers: &[usize]) -> Vec<usize> {
    let first = |(i, number): (usize, &usize)| (!numbers[..i].contains(number)).then_some(*number);
    numbers.iter().enumerate().filter_map(first).collect()
}

/// A size is the batch if it is called so, or, in a file that calls none so, if it is the first of
/// an input.
fn is_batch(inputs: &[Value], axis: usize, dim: &Dim) -> bool {
    let called =
        |dim: &Dim| matches!(dim, Dim::Named(name) if name.to_lowercase().contains("batch"));
    let any = inputs.iter().flat_map(|input| &input.shape).any(called);
    if any { called(dim) } else { axis == 0 && dim.size().is_none() }
}

fn free_lengths(inputs: &[Value]) -> BTreeMap<String, usize> {
    let dims = inputs.iter().flat_map(|input| input.shape.iter().enumerate());
    dims.filter(|(axis, dim)| !is_batch(inputs, *axis, dim))
        .filter_map(|(_, dim)| match dim {
            Dim::Named(name) => Some((if name.is_empty() { "?" } else { name }.to_owned(), LENGTH)),
            Dim::Fixed(_) => None,
        })
        .collect()
}

/// Those that were asked for, if the file takes them.
fn batches(inputs: &[Value], asked: &[usize]) -> Result<Vec<usize>, Error> {
    let free = inputs
        .iter()
        .any(|input| input.shape.iter().enumerate().any(|(i, dim)| is_batch(inputs, i, dim)));
    let fixed = inputs.iter().filter_map(|input| input.shape.first()?.size()).next().unwrap_or(1);
    let batches = match (asked, free) {
        ([], true) => BATCHES.to_vec(),
        ([], false) => vec![fixed],
        _ => distinct(asked),
    };
    for &batch in &batches {
        let fits = |input: &Value| {
            let numbers = shape(inputs, input, batch)
                .iter()
                .try_fold(1_usize, |product, &size| product.checked_mul(size));
            numbers.is_some_and(|numbers| numbers <= MOST_NUMBERS)
        };
        if batch == 0 || (!free && batch != fixed) {
            let expected = if free {
                "at least 1".into()
            } else {
                format!("{fixed}, because the file fixes it")
            };
            return Err(setting("the batch size", batch, expected));
        }
        if let Some(input) = inputs.iter().find(|input| !fits(input)) {
            let expected =
                format!("so small that the input {input} has at most {MOST_NUMBERS} numbers");
            return Err(setting("the batch size", batch, expected));
        }
    }
    Ok(batches)
}

fn shape(inputs: &[Value], input: &Value, batch: usize) -> Vec<usize> {
    let size = |(axis, dim): (usize, &Dim)| match dim {
        _ if is_batch(inputs, axis, dim) => batch,
        Dim::Fixed(size) => *size,
        Dim::Named(_) => LENGTH,
    };
    input.shape.iter().enumerate().map(size).collect()
}

#[allow(clippy::cast_possible_truncation, reason = "any rounding of a random number is as good")]
fn arrays(inputs: &[Value], batch: usize) -> Vec<Array> {
    let stream = Stream::new(Seed(0), "onnx latency");
    let array = |(i, input): (usize, &Value)| {
        let shape = shape(inputs, input, batch);
        let (len, mut draws) = (shape.iter().product(), stream.at(0, i as u64));
        let numbers = match input.element {
            Element::F32 => {
                Numbers::F32((0..len).map(|_| draws.uniform(-1.0, 1.0) as f32).collect())
            }
            // A session takes no bool.
            Element::I64 | Element::Bool => Numbers::I64(vec![0; len]),
        };
        Array { shape, numbers }
    };
    inputs.iter().enumerate().map(array).collect()
}

#[allow(clippy::cast_precision_loss, reason = "no batch has 2^53 rows")]
fn measure(
    session: &Session,
    batch: usize,
    threads: usize,
    options: &LatencyOptions,
) -> Result<Latency, Error> {
    let arrays = arrays(session.inputs(), batch);
    let began = Instant::now();
    for _ in 0..10 {
        session.run_only(&arrays)?;
        if began.elapsed() > options.time / 4 {
            break;
        }
    }
    let (began, mut times) = (Instant::now(), Vec::new());
    loop {
        let start = Instant::now();
        session.run_only(&arrays)?;
        times.push(start.elapsed());
        let (runs, time) = (times.len(), began.elapsed());
        let enough = runs >= options.runs && time >= options.time;
        if enough || (runs >= FEWEST_RUNS && time >= options.time * 5 / 2) {
            break;
        }
    }
    times.sort_unstable();
    let microseconds = |percent| percentile(&times, percent).as_secs_f64() * 1e6;
    let p50_us = microseconds(50);
    Ok(Latency {
        batch,
        threads,
        runs: times.len(),
        p50_us,
        p99_us: microseconds(99),
        rows_per_second: batch as f64 / (p50_us * 1e-6).max(f64::MIN_POSITIVE),
    })
}

/// The smallest of the times that is as long as `percent` of them, or longer (nearest rank). The
/// times are sorted.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

trainbook_core::shown_as_text!(LatencyReport);

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["batch", "threads", "runs", "p50 µs", "p99 µs", "rows/s"]
            .map(|name| (name, Align::Right));
        let mut table = Table::new(&columns);
        for Latency { batch, threads, runs, p50_us, p99_us, rows_per_second } in &self.latencies {
            table.rows.push(vec![
                batch.to_string(),
                threads.to_string(),
                runs.to_string(),
                format!("{p50_us:.1}"),
                format!("{p99_us:.1}"),
                format!("{rows_per_second:.0}"),
            ]);
        }
        writeln!(f, "{}", table.text())?;
        let sign = if self.flops_unknown > 0 { "≥ " } else { "" };
        writeln!(f, "file        {} ({} bytes)", self.path.display(), self.bytes)?;
        writeln!(f, "parameters  {}", self.parameters)?;
        writeln!(f, "FLOPs       {sign}{} per row", self.flops)?;
        for (name, size) in &self.lengths {
            writeln!(f, "length      {name} = {size}")?;
        }
        writeln!(
            f,
            "processor   {}",
            self.cpu_model.as_deref().unwrap_or("the system does not say")
        )?;
        writeln!(f, "measured in {}", self.measured_in)
    }
}

#[cfg(test)]
mod tests;
