//! Metrics, beside scikit-learn's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_metrics::{
    Accuracy, BalancedAccuracy, LabelAccuracy, MacroF1, MeanAbsolute, Measure, Metric, R2,
    RootMeanSquare, Tally, TopKAccuracy,
};

/// Every metric of the library.
fn all() -> Vec<Metric> {
    vec![
        Accuracy.into(),
        TopKAccuracy { k: 2 }.into(),
        BalancedAccuracy.into(),
        MacroF1.into(),
        LabelAccuracy.into(),
        MeanAbsolute.into(),
        RootMeanSquare.into(),
        R2.into(),
    ]
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    width: usize,
    outputs: Vec<f32>,
    classes: Option<Vec<u32>>,
    values: Option<Vec<f32>>,
    scores: BTreeMap<String, f64>,
}

impl Case {
    /// The targets of these rows.
    fn targets(&self, rows: std::ops::Range<usize>) -> Targets {
        match (&self.classes, &self.values) {
            (Some(classes), None) => Targets::Classes(classes[rows].to_vec()),
            (None, Some(values)) => {
                Targets::Values(values[rows.start * self.width..rows.end * self.width].to_vec())
            }
            _ => panic!("either classes or values"),
        }
    }
}

/// The metric over all rows, cut into batches of so many.
fn measured(metric: &Metric, case: &Case, batch: usize) -> f64 {
    let mut tally = metric.measure().begin(case.width);
    let rows = case.outputs.len() / case.width;
    for start in (0..rows).step_by(batch) {
        let end = rows.min(start + batch);
        let outputs = &case.outputs[start * case.width..end * case.width];
        tally.add(outputs, &case.targets(start..end));
    }
    tally.value()
}

#[test]
fn numbers_are_those_of_scikit_learn() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    let mut seen = BTreeMap::<String, usize>::new();
    for case in &fixture.cases {
        for (score, expected) in &case.scores {
            let (kind, k) = score.split_once(' ').map_or((score.as_str(), None), |(kind, k)| {
                (kind, Some(k.parse::<usize>().unwrap()))
            });
            let json = match k {
                Some(k) => format!(r#"{{"metric":"{kind}","k":{k}}}"#),
                None => format!(r#"{{"metric":"{kind}"}}"#),
            };
            let metric: Metric = serde_json::from_str(&json).unwrap();
            for batch in [1, 7, 1000] {
                let found = measured(&metric, case, batch);
                assert!(
                    (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
                    "{score}: {found} for {expected}"
                );
            }
            *seen.entry(kind.to_owned()).or_default() += 1;
        }
    }
    for metric in all() {
        let json = serde_json::to_value(&metric).unwrap();
        let kind = json["metric"].as_str().unwrap();
        assert!(seen.get(kind).is_some_and(|cases| *cases >= 2), "{kind} has no cases");
    }
}

#[test]
fn each_reads_itself_and_says_when_it_is_better() {
    let larger = |metric: &Metric| metric.measure().direction() == Direction::Maximize;
    for metric in all() {
        let json = serde_json::to_string(&metric).unwrap();
        assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric);
        assert_eq!(larger(&metric), !["mae", "rmse"].contains(&metric.name().as_str()));
        // Of nothing it says nothing.
        let empty = metric.measure().begin(3).value();
        assert!(empty.is_nan() || metric.name() == "macro_f1", "{}: {empty}", metric.name());
    }
    assert_eq!(Metric::from(TopKAccuracy { k: 3 }).name(), "top3_accuracy");
    for k in [0, 4] {
        let error = TopKAccuracy { k }.check(&[3]).unwrap_err().to_string();
        assert!(error.contains("from 1 to 3"), "{error}");
    }
}

#[test]
fn what_is_no_number_is_never_right() {
    let outputs = [f32::NAN, f32::NAN, f32::NAN];
    for (metric, targets) in [
        (Metric::from(Accuracy), Targets::Classes(vec![0])),
        (TopKAccuracy { k: 3 }.into(), Targets::Classes(vec![0])),
        (BalancedAccuracy.into(), Targets::Classes(vec![0])),
        (MacroF1.into(), Targets::Classes(vec![0])),
        (LabelAccuracy.into(), Targets::Values(vec![0.0; 3])),
    ] {
        let mut tally = metric.measure().begin(3);
        tally.add(&outputs, &targets);
        assert_eq!(tally.value(), 0.0, "{}", metric.name());
    }
    // Of equal outputs the first is preferred.
    for (k, expected) in [(1, 0.5), (2, 1.0)] {
        let mut tally = TopKAccuracy { k }.begin(2);
        tally.add(&[1.0, 1.0, 1.0, 1.0], &Targets::Classes(vec![0, 1]));
        assert_eq!(tally.value(), expected);
    }
}

/// The share of values that are met within 1.
#[derive(Debug)]
struct Near;

struct Counted([f64; 2]);

impl Measure for Near {
    fn name(&self) -> String {
        "near".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Counted([0.0; 2]))
    }
}

impl Tally for Counted {
    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        let Targets::Values(values) = targets else { return };
        for (x, y) in outputs.iter().zip(values) {
            self.0[0] += f64::from(u8::from((x - y).abs() <= 1.0));
            self.0[1] += 1.0;
        }
    }

    fn value(&self) -> f64 {
        self.0[0] / self.0[1]
    }
}

#[test]
fn one_of_your_own() {
    let metric = Metric::custom(Arc::new(Near));
    let mut tally = metric.measure().begin(1);
    tally.add(&[1.0, 5.0], &Targets::Values(vec![1.5, 7.0]));
    assert_eq!(tally.value(), 0.5);
    let json = serde_json::to_string(&metric).unwrap();
    assert_eq!(
        json,
        r#"{"metric":"Custom","name":"near","direction":"maximize","takes":"values"}"#
    );
    let elsewhere: Metric = serde_json::from_str(&json).unwrap();
    assert_eq!(elsewhere.name(), "near");
    assert_eq!(elsewhere.measure().direction(), Direction::Maximize);
    assert!(elsewhere.measure().begin(1).value().is_nan());
}
