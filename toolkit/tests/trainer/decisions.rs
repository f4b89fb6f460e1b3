//! Thresholds and temperatures that a run finds on its validation part.

use trainbook::prelude::*;
use trainbook::random::Stream;

use crate::support::clouds;

/// 400 rows of one feature, of which every tenth is positive, and half of those far out.
fn rare(labels: bool) -> Dataset {
    let mut draws = Stream::new(Seed(0), "rare").at(0, 0);
    let positive: Vec<u32> = (0..400).map(|row| u32::from(row % 10 == 0)).collect();
    let features: Vec<f32> =
        positive.iter().map(|class| (1.5 * f64::from(*class) + draws.normal()) as f32).collect();
    let targets = if labels {
        Targets::Values(positive.iter().map(|class| *class as f32).collect())
    } else {
        Targets::Classes(positive)
    };
    let data = Dataset::from_rows("rare", 1, features, targets).unwrap();
    data.split(Split::random(0.5, 0.4, 0.1), Seed(1)).unwrap()
}

/// Each row of the validation part: its probability of being positive, and whether it is.
fn judged(run: &Run, data: &Dataset, column: usize, width: usize) -> Vec<(f64, bool)> {
    let rows = data.part(Part::Validation);
    let probabilities = run.predict_proba(&data.raw(rows).unwrap()).unwrap();
    let positive = |row: &usize| match data.targets().unwrap() {
        Targets::Classes(classes) => classes[*row] == 1,
        Targets::Values(values) => values[*row] == 1.0,
    };
    let of_row = probabilities.floats().chunks(width).zip(rows);
    of_row.map(|(p, row)| (f64::from(p[column]), positive(row))).collect()
}

fn f1(judged: &[(f64, bool)], threshold: f64) -> f64 {
    let count = |taken: bool, positive: bool| {
        let is = |(p, is): &&(f64, bool)| (*p >= threshold) == taken && *is == positive;
        judged.iter().filter(is).count() as f64
    };
    2.0 * count(true, true) / (2.0 * count(true, true) + count(true, false) + count(false, true))
}

#[test]
fn a_threshold_is_the_best_of_the_validation_part() {
    for labels in [false, true] {
        let data = rare(labels);
        let width = if labels { 1 } else { 2 };
        let net = Sequential::new().linear(width);
        let builder = if labels {
            Trainer::regressor(&data, net).loss(BinaryCrossEntropy::default())
        } else {
            Trainer::classifier(&data, net)
        };
        let mut trainer = builder.seed(1).learning_rate(0.05).quiet().build().unwrap();
        let run = trainer.fit(Epochs(20)).unwrap();
        let judged = judged(&run, &data, width - 1, width);
        let threshold = run.decision_threshold(Criterion::F1).unwrap();
        assert!((threshold.score - f1(&judged, threshold.value)).abs() < 1e-12, "{threshold}");
        assert!((threshold.score_at_half - f1(&judged, 0.5)).abs() < 1e-12, "{threshold}");
        let best = (0..=1000).map(|at| f1(&judged, f64::from(at) / 1000.0)).fold(0.0, f64::max);
        assert!(threshold.score >= best && best > threshold.score - 0.05, "{threshold}, {best}");
        // Few are positive, so that half is too much.
        assert!(threshold.value < 0.4 && threshold.score > threshold.score_at_half, "{threshold}");
        let cost = Criterion::Cost { false_positive: 1.0, false_negative: 20.0 };
        assert!(run.decision_threshold(cost).unwrap().value < threshold.value);

        let temperature = run.temperature().unwrap();
        assert!((0.3..3.0).contains(&temperature.value), "{temperature}");
        let validation = run.evaluate(Part::Validation).unwrap().loss;
        assert!((temperature.log_loss[0] - validation).abs() < 1e-6, "{temperature}, {validation}");
    }
}

#[test]
fn what_has_no_threshold_says_why() {
    let fit = |trainer: trainbook::trainer::TrainerBuilder| {
        trainer.seed(1).quiet().build().unwrap().fit(Epochs(1)).unwrap()
    };
    let net = || Sequential::new().linear(3);
    let three = fit(Trainer::classifier(&clouds(), net()));
    let error = three.decision_threshold(Criterion::F1).unwrap_err().to_string();
    assert!(error.contains("3 classes; a threshold is between two"), "{error}");
    let values = fit(Trainer::regressor(&rare(true), Sequential::new().linear(1)));
    let error = values.decision_threshold(Criterion::F1).unwrap_err().to_string();
    assert!(error.contains("values, not classes"), "{error}");
    let error = values.temperature().unwrap_err().to_string();
    assert!(error.contains("no probabilities"), "{error}");
    let data = rare(false).split(Split::random(0.9, 0.0, 0.1), Seed(1)).unwrap();
    let without = fit(Trainer::classifier(&data, Sequential::new().linear(2)));
    let error = without.decision_threshold(Criterion::F1).unwrap_err().to_string();
    assert!(error.contains("validation"), "{error}");
}
