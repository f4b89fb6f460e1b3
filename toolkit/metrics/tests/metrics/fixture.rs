//! What scikit-learn says.

use std::collections::BTreeMap;

use serde::Deserialize;
use trainbook_core::batch::Targets;
use trainbook_metrics::Metric;

#[derive(Deserialize)]
pub struct Fixture {
    pub cases: Vec<Case>,
    pub report: Report,
    pub intervals: Vec<Bounds>,
}

#[derive(Deserialize)]
pub struct Case {
    pub width: usize,
    pub outputs: Vec<f32>,
    pub classes: Option<Vec<u32>>,
    pub values: Option<Vec<f32>>,
    pub weights: Option<Vec<f32>>,
    /// By the metric in JSON; `None` for NaN.
    pub scores: BTreeMap<String, Option<f64>>,
}

#[derive(Deserialize)]
pub struct Report {
    pub names: Vec<String>,
    pub outputs: Vec<f32>,
    pub classes: Vec<u32>,
    pub matrix: Vec<Vec<f64>>,
    /// Precision, recall, F1 and support of each class and of both means.
    pub lines: Vec<[f64; 4]>,
    pub accuracy: f64,
}

#[derive(Deserialize)]
pub struct Bounds {
    pub metric: String,
    pub width: usize,
    pub outputs: Vec<f32>,
    pub classes: Option<Vec<u32>>,
    pub values: Option<Vec<f32>>,
    pub interval: [f64; 2],
}

impl Fixture {
    pub fn read() -> Self {
        serde_json::from_str(include_str!("fixtures/scikit_learn.json")).unwrap()
    }
}

pub fn targets(classes: Option<&[u32]>, values: Option<&[f32]>) -> Targets {
    match (classes, values) {
        (Some(classes), None) => Targets::Classes(classes.to_vec()),
        (None, Some(values)) => Targets::Values(values.to_vec()),
        _ => panic!("either classes or values"),
    }
}

/// The metric over all rows, cut into batches of so many, again and again.
pub fn measured(
    metric: &Metric,
    (outputs, width): (&[f32], usize),
    targets: &Targets,
    weights: Option<&[f32]>,
    batches: &[usize],
) -> f64 {
    let mut tally = metric.measure().begin(width);
    let rows = outputs.len() / width;
    let per_row = targets.len() / rows;
    let mut start = 0;
    for batch in batches.iter().cycle() {
        let end = rows.min(start + batch);
        let (first, last) = (start * per_row, end * per_row);
        let targets = match targets {
            Targets::Classes(classes) => Targets::Classes(classes[first..last].to_vec()),
            Targets::Values(values) => Targets::Values(values[first..last].to_vec()),
        };
        let weights = weights.map(|weights| &weights[first..last]);
        tally.add(&outputs[start * width..end * width], &targets, weights);
        start = end;
        if start == rows {
            break;
        }
    }
    tally.value()
}
