//! Temperatures and thresholds: those of scikit-learn and of a search over all.

use serde::Deserialize;
use trainbook_core::batch::Targets;
use trainbook_metrics::{Criterion, DecisionThreshold, Temperature};

use crate::fixture::targets;

#[derive(Deserialize)]
struct Fixture {
    temperatures: Vec<OfTemperature>,
    thresholds: Vec<OfThreshold>,
}

#[derive(Deserialize)]
struct OfTemperature {
    width: usize,
    outputs: Vec<f32>,
    classes: Option<Vec<u32>>,
    values: Option<Vec<f32>>,
    weights: Option<Vec<f32>>,
    temperature: f64,
}

#[derive(Deserialize)]
struct OfThreshold {
    probabilities: Vec<f64>,
    positive: Vec<bool>,
    weights: Option<Vec<f32>>,
    criterion: String,
    costs: Option<[f64; 2]>,
    best: f64,
    at_half: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/decisions.json")).unwrap()
}

#[test]
fn temperatures_are_those_of_scikit_learn() {
    for case in fixture().temperatures {
        let targets = targets(case.classes.as_deref(), case.values.as_deref());
        let weights = case.weights.as_deref();
        let of = |outputs: &[f32]| Temperature::of(outputs, case.width, &targets, weights).unwrap();
        let found = of(&case.outputs);
        let off = (found.value / case.temperature - 1.0).abs();
        assert!(off < 1e-5, "{} for {}", found.value, case.temperature);
        assert!(found.log_loss[1] <= found.log_loss[0], "{found}");
        assert_eq!(found.calibration_error.is_some(), case.classes.is_some());
        if case.temperature > 2.0 && case.width > 1 {
            let [before, with] = found.calibration_error.unwrap();
            assert!(with < before, "{found}");
        }
        // With it there is nothing left to be mended.
        let again = of(&found.apply(&case.outputs));
        assert!((again.value - 1.0).abs() < 1e-5, "{again}");
    }
}

#[test]
fn there_is_not_always_a_temperature() {
    let refused = |outputs: &[f32], classes: &[u32]| {
        let targets = Targets::Classes(classes.to_vec());
        Temperature::of(outputs, 2, &targets, None).unwrap_err().to_string()
    };
    assert!(refused(&[1.0, 0.0, 0.0, 1.0], &[0, 1]).contains("every row is classified right"));
    assert!(refused(&[1.0, 0.0, 0.0, 1.0], &[1, 0]).contains("say nothing"));
    assert!(refused(&[1.0, 1.0, 2.0, 2.0], &[1, 0]).contains("say nothing"));
    assert!(refused(&[f32::NAN, 0.0, 0.0, 1.0], &[0, 1]).contains("no finite number"));
    assert!(refused(&[], &[]).contains("no rows"));
    assert!(refused(&[1.0, 0.0], &[0, 1]).contains("1"));
    // A class that is impossible counts for nothing.
    let outputs =
        [2.0, 0.0, f32::NEG_INFINITY, 0.0, 1.0, f32::NEG_INFINITY, 2.0, 1.0, f32::NEG_INFINITY];
    let targets = Targets::Classes(vec![0, 1, 1]);
    let found = Temperature::of(&outputs, 3, &targets, None).unwrap();
    let two: Vec<f32> = outputs.chunks(3).flat_map(|row| row[..2].to_vec()).collect();
    let expected = Temperature::of(&two, 2, &targets, None).unwrap();
    assert!((found.value - expected.value).abs() < 1e-9, "{found}");
}

fn criterion(name: &str, costs: Option<[f64; 2]>) -> Criterion {
    match (name, costs) {
        ("f1", _) => Criterion::F1,
        ("accuracy", _) => Criterion::Accuracy,
        ("balanced_accuracy", _) => Criterion::BalancedAccuracy,
        ("cost", Some([false_positive, false_negative])) => {
            Criterion::Cost { false_positive, false_negative }
        }
        _ => panic!("{name}"),
    }
}

#[test]
fn no_threshold_is_better_than_the_one_that_is_found() {
    for case in fixture().thresholds {
        let criterion = criterion(&case.criterion, case.costs);
        let (probabilities, positive) = (&case.probabilities, &case.positive);
        let weights = case.weights.as_deref();
        let found = DecisionThreshold::of(probabilities, positive, weights, criterion).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(found.score, case.best), "{found}, but {}", case.best);
        assert!(near(found.score_at_half, case.at_half), "{found}, but {}", case.at_half);
        // What it says comes of it does.
        let mut decisions = [0.0; 4];
        for (at, (p, positive)) in probabilities.iter().zip(positive).enumerate() {
            let place = usize::from(!found.is_positive(*p)) * 2 + usize::from(!positive);
            decisions[place] += weights.map_or(1.0, |weights| f64::from(weights[at]));
        }
        let d = found.decisions;
        let said = [d.true_positives, d.false_positives, d.false_negatives, d.true_negatives];
        assert!(said.iter().zip(decisions).all(|(a, b)| near(*a, b)), "{said:?}, {decisions:?}");
    }
}

#[test]
fn thresholds_stand_in_the_middle_and_near_a_half() {
    let of = |probabilities: &[f64], positive: &[bool]| {
        DecisionThreshold::of(probabilities, positive, None, Criterion::Accuracy).unwrap()
    };
    assert_eq!(of(&[0.2, 0.3, 0.8, 0.9], &[false, false, true, true]).value, 0.5);
    assert_eq!(of(&[0.1, 0.2, 0.4, 0.45], &[false, false, true, true]).value, 0.30000000000000004);
    assert_eq!(of(&[0.9, 0.6], &[true, false]).value, 0.75);
    // Two that are as good: between 0.3 and 0.4, or above all; the first is nearer to 0.5.
    assert_eq!(of(&[0.3, 0.4, 0.6], &[false, true, false]).value, 0.35);
    assert_eq!(of(&[0.05, 0.2, 0.6], &[false, true, false]).value, 0.8);
    // None of them, and none that is nearer to 0.5 than they are.
    assert_eq!(of(&[0.3, 0.2, 0.1], &[true, false, false]).value, 0.25);
    assert_eq!(of(&[0.3, 0.2, 0.1], &[false, true, false]).value, 0.5);
    // Nothing is above 1; neighbours have no middle.
    let certain = of(&[1.0, 1.0, 1.0], &[true, false, false]);
    assert!(!certain.is_positive(1.0) && certain.score == 2.0 / 3.0, "{certain}");
    let neighbours = of(&[0.7_f64.next_up(), 0.7], &[true, false]);
    assert!(neighbours.is_positive(0.7_f64.next_up()) && !neighbours.is_positive(0.7));
    let shown = of(&[0.2, 0.3, 0.8, 0.9], &[false, true, true, true]).to_string();
    assert_eq!(
        shown,
        "threshold 0.2500: accuracy 1.0000 (at 0.5: 0.7500); 3 of 3 positives found, 0 of 1 negatives \
         taken for positive"
    );
}

#[test]
fn what_no_threshold_is_of_is_refused() {
    let refused = |probabilities: &[f64], positive: &[bool], criterion| {
        DecisionThreshold::of(probabilities, positive, None, criterion).unwrap_err().to_string()
    };
    assert!(refused(&[0.5], &[true], Criterion::F1).contains("no negative row"));
    assert!(refused(&[0.5], &[false], Criterion::F1).contains("no positive row"));
    assert!(refused(&[], &[], Criterion::F1).contains("no positive row"));
    assert!(refused(&[0.5], &[], Criterion::F1).contains("1 probabilities have 0 targets"));
    assert!(refused(&[0.5, 1.5], &[true, false], Criterion::F1).contains("1.5"));
    assert!(refused(&[f64::NAN, 0.5], &[true, false], Criterion::F1).contains("NaN"));
    let weighed = |weight| {
        let (p, positive) = ([0.5, 0.4], [true, false]);
        DecisionThreshold::of(&p, &positive, Some(&[weight, 1.0]), Criterion::F1)
            .unwrap_err()
            .to_string()
    };
    assert!(weighed(f32::NAN).contains("a weight is NaN"));
    assert!(weighed(-1.0).contains("a weight is -1"));
    let cost = Criterion::Cost { false_positive: -1.0, false_negative: 1.0 };
    assert!(refused(&[0.5, 0.5], &[true, false], cost).contains("-1"));
}
