//! What logging and querying cost, for `cargo xtask peers store`: `measure_peer 1000,10000` prints
//! one JSON object, times in seconds. `tests/python/measure_mlflow.py` does the same in MLflow.

use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};
use trainbook_store::{EndState, Metric, RunEnd, RunStart, Store};

const POINTS: u64 = 10_000;
/// Fewer where each waits for the disk; the median is that of one point.
const ONE_BY_ONE: u64 = 2_000;
const BATCH: u64 = 1_000;
const REPEATS: usize = 9;
const QUERY: &str = "metrics.val_loss < 0.5 and params.optimizer = 'adamw' order by metrics.val_accuracy desc, tags.number limit 10";

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let sizes = std::env::args().nth(1).unwrap_or_else(|| "1000".to_owned());
    let mut measured = Map::new();
    logging(&mut measured)?;
    let mut found = Vec::new();
    for size in sizes.split(',') {
        found.push(queries(size.parse()?, &mut measured)?);
    }
    measured.insert("found".to_owned(), json!(found));
    println!("{}", Value::Object(measured));
    Ok(())
}

fn loss(step: u64) -> f64 {
    1.0 / (step + 1) as f64 + ((step * 7_919) % 1_000) as f64 * 1e-5
}

fn logging(measured: &mut Map<String, Value>) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let new_run = || store.start_run(RunStart::default());

    let run = new_run()?;
    let mut times = Vec::new();
    for step in 0..ONE_BY_ONE {
        let begin = Instant::now();
        run.log(step, &[Metric::new("loss", loss(step))]);
        run.flush()?;
        times.push(begin.elapsed().as_secs_f64());
    }
    run.finish(RunEnd::new(EndState::Finished, ONE_BY_ONE, 1))?;
    measured.insert("each_on_disk".to_owned(), median(times).into());

    let run = new_run()?;
    let mut times = Vec::new();
    for first in (0..POINTS).step_by(BATCH as usize) {
        let begin = Instant::now();
        for step in first..first + BATCH {
            run.log(step, &[Metric::new("loss", loss(step))]);
        }
        run.flush()?;
        times.push(begin.elapsed().as_secs_f64() / BATCH as f64);
    }
    run.finish(RunEnd::new(EndState::Finished, POINTS, 1))?;
    measured.insert("batch_on_disk".to_owned(), median(times).into());

    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..REPEATS {
        let before = size(folder.path())?;
        let run = new_run()?;
        let begin = Instant::now();
        for step in 0..POINTS {
            run.log(step, &[Metric::new("loss", loss(step))]);
        }
        run.flush()?;
        times.push(begin.elapsed().as_secs_f64() / POINTS as f64);
        run.finish(RunEnd::new(EndState::Finished, POINTS, 1))?;
        bytes = size(folder.path())? - before;
    }
    measured.insert("stream_on_disk".to_owned(), median(times).into());
    measured.insert("bytes_a_point".to_owned(), (bytes as f64 / POINTS as f64).into());
    Ok(())
}

/// Runs that differ in two parameters, a tag and two metrics.
fn queries(size: u64, measured: &mut Map<String, Value>) -> Result<Vec<String>, Error> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    for number in 0..size {
        let optimizer = if number % 3 == 0 { "adamw" } else { "sgd" };
        let params = [
            ("lr".into(), (1e-4 * (number + 1) as f64).into()),
            ("optimizer".into(), optimizer.into()),
        ];
        let tags = [("number".into(), format!("{number:06}"))].into();
        let run =
            store.start_run(RunStart { params: params.into(), tags, ..RunStart::default() })?;
        let (loss, accuracy) = scores(number);
        run.log(1, &[Metric::new("val_loss", loss), Metric::new("val_accuracy", accuracy)]);
        run.finish(RunEnd::new(EndState::Finished, 1, 1))?;
    }
    drop(store);
    // Whoever opens the store next finds the index up to date.
    Store::open(folder.path())?.query(QUERY)?;
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    for _ in 0..REPEATS {
        let begin = Instant::now();
        let store = Store::open(folder.path())?;
        store.query(QUERY)?;
        cold.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        found = store.query(QUERY)?;
        warm.push(begin.elapsed().as_secs_f64());
    }
    measured.insert(format!("query_{size}_cold"), median(cold).into());
    measured.insert(format!("query_{size}_warm"), median(warm).into());
    Ok(found.iter().filter_map(|run| run.tags.get("number").cloned()).collect())
}

fn scores(number: u64) -> (f64, f64) {
    (((number * 37) % 101) as f64 / 100.0, ((number * 53) % 997) as f64 / 997.0)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// All files of a folder, in bytes.
fn size(folder: &Path) -> std::io::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        total += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(total)
}
