//! Memory does not grow with the rows of shards. Apart from other tests, whose memory would count.

#![cfg(target_os = "linux")]

use trainbook_core::random::{Seed, Stream};
use trainbook_data::{Batch, Batches, DataError, Dataset, Loader, Part, Source, Split, Targets};

const ROWS: usize = 20_000;
const SHAPE: [usize; 3] = [1, 28, 28];
const WIDTH: usize = 784;

/// Images that are computed when they are asked for: 63 MB in all.
#[derive(Debug)]
struct Computed {
    names: Vec<String>,
    classes: Vec<String>,
    targets: Targets,
}

fn pixel(row: usize, at: usize) -> f32 {
    ((row * 31 + at * 17) % 1009) as f32 / 1009.0
}

impl Source for Computed {
    fn len(&self) -> usize {
        ROWS
    }

    fn name(&self) -> &str {
        "computed"
    }

    fn shape(&self) -> &[usize] {
        &SHAPE
    }

    fn feature_names(&self) -> &[String] {
        &self.names
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.classes)
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, 1);
        let out = batch.input.refill_f32([rows.len(), 1, 28, 28]);
        for (out, &row) in out.chunks_exact_mut(WIDTH).zip(rows) {
            out.iter_mut().enumerate().for_each(|(at, x)| *x = pixel(row, at));
        }
        Ok(())
    }
}

/// The most memory that the process had at a time, in KiB.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("images");
    let before = peak().unwrap();
    let data = Dataset::from_source(Computed {
        names: (0..WIDTH).map(|at| at.to_string()).collect(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        targets: Targets::Classes((0..ROWS).map(|row| row as u32 % 10).collect()),
    })
    .unwrap();
    data.write_shards(&folder, 1500).unwrap();
    let shards = Dataset::shards(&folder).unwrap();
    assert_eq!(shards.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
    let shards = shards.split(Split::stratified(0.8, 0.1, 0.1), Seed(7)).unwrap();
    let loader = Loader::new(&shards, Part::Train, 64, Some(Stream::new(Seed(7), "shuffle")));
    let mut loader = loader.prefetch(4).unwrap();
    let (mut batch, mut rows) = (Batch::default(), 0);
    loader.start(0);
    while loader.next(&mut batch).unwrap() {
        rows += batch.len();
        let row = batch.samples[0];
        assert!((0..WIDTH).all(|at| batch.input.floats()[at] == pixel(row, at)));
    }
    assert_eq!(rows, 16_000);
    let (grown, all) = (peak().unwrap() - before, ROWS * WIDTH * 4 / 1024);
    assert!(grown < all / 5, "{grown} KiB, and all rows have {all} KiB");
}
