//! Tests of the whole way, from the file to the report.

#[cfg(feature = "arrow")]
mod arrow;
mod buckets;
mod dates;
mod encoding;
mod files;
mod folds;
mod hooked;
mod loader;
mod marks;
#[cfg(feature = "ndarray")]
mod ndarray;
mod normalize;
mod npy;
mod odd_tables;
#[cfg(feature = "parquet")]
mod parquet;
mod reading;
mod report;
mod sampling;
mod scaling;
mod series_of_tables;
mod shards;
mod split;
mod table;
#[cfg(feature = "tokenizers")]
mod tokenizers;
#[cfg(any(feature = "arrow", feature = "parquet"))]
mod typed;
mod windows;
mod words;

use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Batches, Column, DataError, DataRecipe, Dataset, Normalize, Split, Table, Targets};
use trainbook_core::random::Seed;

const PETS: &str =
    "age,kind,owner,good\n1,dog,a,yes\n2,cat,b,no\n?,dog,c,yes\n4,,d,no\n5,emu,e,no\n";

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

fn table(text: &str) -> Table {
    kept(text).1
}

/// A table whose file is there as long as the folder.
fn kept(text: &str) -> (tempfile::TempDir, Table) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    (folder, Dataset::csv(&path).unwrap())
}

/// A message without the file's folder.
fn refused<T>(result: Result<T, DataError>) -> String {
    let error = result.err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    let from = error.find('/');
    let to = error.find("data.csv");
    match (from, to) {
        (Some(from), Some(to)) => format!("{}FILE{}", &error[..from], &error[to + 8..]),
        _ => error,
    }
}

fn rows(data: &Dataset) -> Vec<f32> {
    data.raw(&(0..data.len()).collect::<Vec<_>>()).unwrap().floats().to_vec()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1.0)
}

fn auto_mpg_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks/data/auto-mpg.csv"))
}

/// The data set that its recipe makes, once that was written and read.
fn made_again(data: &Dataset) -> Dataset {
    let json = serde_json::to_string(&data.recipe()).unwrap();
    let recipe: DataRecipe = serde_json::from_str(&json).unwrap();
    assert_eq!(recipe, data.recipe());
    let again = recipe.make().unwrap();
    assert_eq!(again.fingerprint().unwrap(), data.fingerprint().unwrap());
    assert_eq!(again.recipe(), data.recipe());
    assert_eq!(again.feature_names(), data.feature_names());
    assert_eq!(again.encoding(), data.encoding());
    again
}
