//! Loading: a CSV file of 1,000,000 rows of 20 numbers, an epoch of 200,000 images of 28 × 28 from
//! memory and from shards, 10,000 small PNG files decoded on one and on two threads; and the check of
//! 1,000,000 rows of 64 features.
//!
//! `tests/python/measure_loading.py` compares the first with polars: it names the CSV file in the
//! environment variable `TRAINBOOK_BENCH_CSV`. Without it one is written into a temporary folder.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_main};
use trainbook_core::random::{Draws, Seed, Stream};
use trainbook_data::{Batch, Batches, Dataset, Loader, Part, Split, Targets};

const CSV_ROWS: usize = 1_000_000;
const CSV_COLUMNS: usize = 20;
const IMAGES: usize = 200_000;
const PIXELS: usize = 28 * 28;
const BATCH: usize = 64;
const FILES: usize = 10_000;

fn draws(what: &'static str) -> Draws {
    Stream::new(Seed(7), what).at(0, 0)
}

fn write_csv(path: &Path) {
    let mut draws = draws("csv");
    let names: Vec<String> = (0..CSV_COLUMNS).map(|column| format!("x{column}")).collect();
    let mut text = names.join(",") + "\n";
    for _ in 0..CSV_ROWS {
        for column in 0..CSV_COLUMNS {
            let number = draws.below(8_000_000) as f64 / 1e6 - 4.0;
            let end = if column + 1 == CSV_COLUMNS { '\n' } else { ',' };
            write!(text, "{number:.6}{end}").unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

fn csv(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = match std::env::var_os("TRAINBOOK_BENCH_CSV") {
        Some(path) => PathBuf::from(path),
        None => folder.path().join("numbers.csv"),
    };
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).throughput(Throughput::Elements(CSV_ROWS as u64));
    group.bench_function("csv", |bencher| {
        if !path.exists() {
            write_csv(&path);
        }
        bencher.iter(|| {
            let table = Dataset::csv(&path).unwrap();
            assert_eq!((table.rows(), table.columns().len()), (CSV_ROWS, CSV_COLUMNS));
            table
        });
    });
    group.finish();
}

/// Images of whole numbers up to 255, which shards keep as bytes.
fn images() -> Dataset {
    let mut draws = draws("images");
    let pixels = (0..IMAGES * PIXELS).map(|_| draws.below(256) as f32).collect();
    let classes = Targets::Classes((0..IMAGES).map(|row| row as u32 % 10).collect());
    Dataset::from_rows("made for the benchmark", PIXELS, pixels, classes).unwrap()
}

/// Reads an epoch's batches, and adds up a number of each so that none is left out.
fn epoch(loader: &mut Loader, number: u64) -> f32 {
    let (mut batch, mut sum) = (Batch::default(), 0.0);
    loader.start(number);
    while loader.next(&mut batch).unwrap() {
        sum += black_box(&batch).input.floats()[0];
    }
    sum
}

fn shards(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("epoch");
    group.sample_size(10).throughput(Throughput::Elements(IMAGES as u64));
    for (order, stream) in [("in order", None), ("shuffled", Some(Stream::new(Seed(7), "rows")))] {
        let open = |from: &str| {
            let path = folder.path().join("shards");
            if from == "memory" {
                return images();
            }
            if !path.exists() {
                images().write_shards(&path, 10_000).unwrap();
            }
            Dataset::shards(&path).unwrap()
        };
        for from in ["memory", "shards"] {
            group.bench_function(format!("{order}, from {from}"), |bencher| {
                let data = open(from);
                let mut loader = Loader::new(&data, Part::Train, BATCH, stream);
                bencher.iter(|| epoch(&mut loader, 0));
            });
        }
    }
    group.finish();
}

/// Small PNG files of two classes.
fn draw_pictures(folder: &Path) {
    let mut draws = draws("pictures");
    for class in ["apple", "pear"] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..FILES / 2 {
            let shade = draws.below(200) as u32;
            let image = image::RgbImage::from_fn(32, 32, |x, y| {
                image::Rgb([x * 8, y * 8, shade + draws.below(50) as u32].map(|value| value as u8))
            });
            image.save(folder.join(class).join(format!("{number}.png"))).unwrap();
        }
    }
}

fn pictures(criterion: &mut Criterion) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("pictures");
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10).throughput(Throughput::Elements(FILES as u64));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        group.bench_function(format!("PNG, {threads} threads"), |bencher| {
            if !folder.exists() {
                draw_pictures(&folder);
            }
            let data = Dataset::image_folder(&folder).unwrap().open().unwrap();
            let mut loader = Loader::new(&data, Part::Train, BATCH, None);
            bencher.iter(|| pool.install(|| epoch(&mut loader, 0)));
        });
    }
    group.finish();
}

/// `Dataset::check` of a million rows, two of whose features make the class.
fn check(criterion: &mut Criterion) {
    let (rows, width) = (1_000_000, 64);
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10).throughput(Throughput::Elements(rows as u64));
    group.bench_function("a million rows of 64", |bencher| {
        let mut draws = draws("check");
        let features: Vec<f32> = (0..rows * width).map(|_| draws.unit() as f32).collect();
        let labels = features.chunks(width).map(|row| u32::from(row[0] + row[1] > 1.0)).collect();
        let data = Dataset::from_rows("much", width, features, Targets::Classes(labels)).unwrap();
        let data = data.split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap();
        bencher.iter(|| {
            let report = data.check();
            assert!(report.is_ok(), "{report}");
            report
        });
    });
    group.finish();
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    criterion::criterion_group!(benches, super::csv, super::shards, super::pictures, super::check);
}
criterion_main!(group::benches);
