//! What metrics are made of, as values that show themselves.

use trainbook_core::batch::Targets;
use trainbook_metrics::{ClassificationReport, ConfusionMatrix, ReliabilityBins};

use crate::fixture::Fixture;

#[test]
fn the_report_is_that_of_scikit_learn() {
    let case = Fixture::read().report;
    let targets = Targets::Classes(case.classes);
    let matrix = ConfusionMatrix::of(&case.outputs, &targets, None, &case.names).unwrap();
    for (class, line) in case.matrix.iter().enumerate() {
        for (taken, count) in line.iter().enumerate() {
            assert_eq!(matrix.count(class, taken), *count);
        }
    }
    let report = matrix.report();
    let means = [&report.macro_average, &report.weighted_average];
    let lines: Vec<_> = report.classes.iter().chain(means).collect();
    assert_eq!(lines.len(), case.lines.len());
    for (line, expected) in lines.iter().zip(case.lines) {
        let found = [line.precision, line.recall, line.f1, line.support];
        let near = found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12);
        assert!(near, "{}: {found:?} for {expected:?}", line.name);
    }
    assert!((report.accuracy - case.accuracy).abs() < 1e-12);
    let json = serde_json::to_string(&matrix).unwrap();
    assert_eq!(serde_json::from_str::<ConfusionMatrix>(&json).unwrap(), matrix);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ClassificationReport>(&json).unwrap(), report);
}

#[test]
fn tables_are_aligned() {
    let outputs = [2.0, 0.0, 2.0, 0.0, 0.0, 2.0, f32::NAN, f32::NAN];
    let targets = Targets::Classes(vec![0, 1, 1, 0]);
    let matrix = ConfusionMatrix::of(&outputs, &targets, None, ["cat", "mouse"]).unwrap();
    let expected = "
       cat  mouse  NaN
cat      1      0    1
mouse    1      1    0
";
    assert_eq!(matrix.to_string(), expected[1..]);
    let expected = "
                  precision  recall      f1  support
cat                  0.5000  0.5000  0.5000        2
mouse                1.0000  0.5000  0.6667        2
accuracy                             0.5000        4
macro average        0.7500  0.5000  0.5833        4
weighted average     0.7500  0.5000  0.5833        4
";
    assert_eq!(matrix.report().to_string(), expected[1..]);
}

#[test]
fn bins_hold_what_confidence_promises() {
    // Two rows of probability 1/(1 + e⁻²) = 0.881, one of them right, and one of ½, which is right.
    let outputs = [2.0, 0.0, 0.0, 2.0, 0.0, 0.0];
    let targets = Targets::Classes(vec![0, 0, 0]);
    let bins = ReliabilityBins::of(&outputs, 2, &targets, None).unwrap();
    let confidence = 1.0 / (1.0 + (-2.0_f64).exp());
    let expected = "
above     to  rows  confidence  accuracy
0.467  0.533     1      0.5000    1.0000
0.867  0.933     2      0.8808    0.5000
";
    assert_eq!(bins.to_string(), expected[1..]);
    let error = (2.0 * (confidence - 0.5) + 0.5) / 3.0;
    assert!((bins.expected_error() - error).abs() < 1e-12);
    assert!((bins.largest_error() - 0.5).abs() < 1e-12);
    let json = serde_json::to_string(&bins).unwrap();
    assert_eq!(serde_json::from_str::<ReliabilityBins>(&json).unwrap(), bins);
    let broken = ReliabilityBins::of(&[f32::NAN, 1.0], 2, &Targets::Classes(vec![1]), None);
    assert!(broken.unwrap().expected_error().is_nan());
}
