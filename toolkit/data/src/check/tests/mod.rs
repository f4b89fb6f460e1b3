//! Faults that are planted and must be found, and data in order of which nothing may be said.

mod clean;
mod planted;
mod statistics;

use std::path::PathBuf;

use crate::{
    Array, Categories, Column, DataReport, Dataset, Finding, Normalize, Numbers, Part, Severity,
    Split, TargetScaling, Targets,
};
use trainbook_core::random::{Draws, Seed, Stream};

fn draws(index: u64) -> Draws {
    Stream::new(Seed(11), "check tests").at(0, index)
}

fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../notebooks/data").join(name)
}

/// The finding whose text contains this.
fn the<'a>(report: &'a DataReport, text: &str) -> &'a Finding {
    let found = report.findings.iter().find(|finding| finding.text.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in\n{report}"))
}

fn lacks(report: &DataReport, text: &str) {
    assert!(report.findings.iter().all(|finding| !finding.text.contains(text)), "{report}");
}

/// 600 rows of 6 normal features; the class follows from the first two, with noise.
struct Plain {
    features: Vec<f32>,
    labels: Vec<u32>,
}

const WIDTH: usize = 6;
const ROWS: usize = 600;

impl Plain {
    fn new(index: u64) -> Self {
        let mut draws = draws(index);
        let features: Vec<f32> = (0..ROWS * WIDTH).map(|_| draws.normal() as f32).collect();
        let label =
            |row: &[f32]| u32::from(f64::from(row[0] + row[1]) + draws.normal() * 0.5 > 0.0);
        let labels = features.chunks(WIDTH).map(label).collect();
        Self { features, labels }
    }

    fn data(self) -> Dataset {
        let targets = Targets::Classes(self.labels);
        Dataset::from_rows("plain", WIDTH, self.features, targets).unwrap()
    }

    /// The same rows with a number as the target.
    fn values(self, value: impl FnMut(&[f32]) -> f32) -> Dataset {
        let values = self.features.chunks(WIDTH).map(value).collect();
        Dataset::from_rows("plain", WIDTH, self.features, Targets::Values(values)).unwrap()
    }
}

fn divided(data: Dataset) -> Dataset {
    data.split(Split::random(0.7, 0.15, 0.15), Seed(3)).unwrap()
}
