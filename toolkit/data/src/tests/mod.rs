//! Tests of the whole way, from the file to the report.

mod dates;
mod encoding;
mod folds;
mod hooked;
mod loader;
mod normalize;
mod npy;
mod odd_tables;
#[cfg(feature = "parquet")]
mod parquet;
mod report;
mod sampling;
mod series_of_tables;
mod shards;
mod split;
mod table;
mod windows;
mod words;

use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Batches, Column, Dataset, Normalize, Split, Targets};
use trainbook_core::random::Seed;

fn digits_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks/data/digits.csv.gz"))
}

fn digits() -> Dataset {
    Dataset::csv(digits_path()).unwrap().target(Column::last()).unwrap()
}

/// The digits as the first run uses them.
fn prepared(data: Dataset, seed: u64) -> Dataset {
    data.normalize(Normalize::divide_by(16.0))
        .unwrap()
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(seed))
        .unwrap()
}

/// The digits' numbers, read without any of the code under test.
fn digits_raw() -> (Vec<f32>, Vec<u32>) {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(digits_path()).unwrap()).read_to_string(&mut text).unwrap();
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (pixels, label) = line.rsplit_once(',').unwrap();
        features.extend(pixels.split(',').map(|pixel| pixel.parse::<f32>().unwrap()));
        labels.push(label.parse().unwrap());
    }
    (features, labels)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn classes(data: &Dataset) -> &[u32] {
    match data.targets() {
        Some(Targets::Classes(classes)) => classes,
        _ => panic!("no classes"),
    }
}

/// What pandas makes of tables.
fn fixture() -> serde_json::Value {
    serde_json::from_str(include_str!("fixtures/tables.json")).unwrap()
}
