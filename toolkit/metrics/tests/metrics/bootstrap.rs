//! Intervals by the bootstrap.

use trainbook_core::batch::Targets;
use trainbook_core::random::Seed;
use trainbook_metrics::{Accuracy, Bootstrap, Interval, MeanAbsolute, Metric, RocAuc, bootstrap};

use crate::fixture::{Fixture, targets};

#[test]
fn rows_are_drawn_with_their_weights() {
    let outputs = [2.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 2.0, 0.0, 2.0, 0.0];
    let targets = Targets::Classes(vec![0, 1, 0, 0, 1, 0]);
    let bootstrap = Bootstrap::new(Seed(7)).resamples(200);
    let interval = |weights: Option<&[f32]>| {
        bootstrap.interval(&Accuracy.into(), &outputs, 2, &targets, weights).unwrap()
    };
    // Alike for all they say nothing; a row of weight 0 counts for nothing.
    assert_eq!(interval(Some(&[2.0; 6])), interval(None));
    let right = interval(Some(&[1.0, 1.0, 1.0, 0.0, 0.0, 1.0]));
    assert_eq!((right.value, right.low, right.high), (1.0, 1.0, 1.0));
    assert!(interval(Some(&[1.0, 1.0, 1.0, 5.0, 5.0, 1.0])).value < 0.3);
    assert!(bootstrap.interval(&Accuracy.into(), &outputs, 2, &targets, Some(&[1.0])).is_err());
}

#[test]
fn intervals_are_those_of_scipy() {
    for case in Fixture::read().intervals {
        let metric: Metric = serde_json::from_str(&case.metric).unwrap();
        let targets = targets(case.classes.as_deref(), case.values.as_deref());
        let interval = Bootstrap::new(Seed(3))
            .resamples(20_000)
            .interval(&metric, &case.outputs, case.width, &targets, None)
            .unwrap();
        // The ends of 20000 scatter by about one hundredth of the interval; shares have
        // steps.
        let step = if case.classes.is_some() { 1.0 / targets.len() as f64 } else { 0.0 };
        let near = (case.interval[1] - case.interval[0]) * 0.03 + step;
        assert!((interval.low - case.interval[0]).abs() < near, "{interval}: {:?}", case.interval);
        assert!((interval.high - case.interval[1]).abs() < near, "{interval}: {:?}", case.interval);
        assert_eq!(
            interval.value,
            metric.value(&case.outputs, case.width, &targets, None).unwrap()
        );
    }
}

#[test]
fn a_seed_decides_it() {
    let outputs: Vec<f32> = (0..40).map(|i| ((i * 7919) % 31) as f32).collect();
    let targets = Targets::Classes((0..20).map(|i| i % 2).collect());
    let of = |seed| bootstrap(&Accuracy.into(), &outputs, 2, &targets, Seed(seed)).unwrap();
    assert_eq!(of(1), of(1));
    let all: Vec<Interval> = (0..8).map(of).collect();
    assert!(all.iter().any(|one| (one.low, one.high) != (all[0].low, all[0].high)));
    assert_eq!((all[0].resamples, all[0].level), (1000, 0.95));
    let json = serde_json::to_string(&all[0]).unwrap();
    assert_eq!(serde_json::from_str::<Interval>(&json).unwrap(), all[0]);
    // A narrower one lies within.
    let half = Bootstrap::new(Seed(1)).level(0.5);
    let half = half.interval(&Accuracy.into(), &outputs, 2, &targets, None).unwrap();
    assert!(of(1).low <= half.low && half.low < half.high && half.high <= of(1).high);
}

#[test]
fn resamples_without_a_value_are_left_out_and_counted() {
    // In about a third of the resamples the one row of the second class is missing.
    let outputs = [1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 0.0];
    let targets = Targets::Classes(vec![0, 1, 0, 0]);
    let roc_auc = RocAuc::default().into();
    let interval = bootstrap(&roc_auc, &outputs, 2, &targets, Seed(5)).unwrap();
    assert!((600..750).contains(&interval.resamples), "{interval:?}");
    assert_eq!((interval.low, interval.high), (1.0, 1.0));
}

#[test]
fn positions_of_one_text_stay_together() {
    // Either text is all right or all wrong: of two drawn texts the share is 0, ½ or 1.
    let outputs = [[1.0, 0.0]; 10].concat();
    let targets = Targets::Classes([[0; 5], [1; 5]].concat());
    let texts = Bootstrap::new(Seed(5)).together(5);
    let texts = texts.interval(&Accuracy.into(), &outputs, 2, &targets, None).unwrap();
    assert_eq!((texts.low, texts.value, texts.high), (0.0, 0.5, 1.0));
    let apart = bootstrap(&Accuracy.into(), &outputs, 2, &targets, Seed(5)).unwrap();
    assert!(apart.low > 0.0 && apart.high < 1.0);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let targets = Targets::Classes(vec![0, 1, 0]);
    let says = |bootstrap: Bootstrap, text: &str| {
        let error = bootstrap.interval(&Accuracy.into(), &[0.0; 6], 2, &targets, None).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    };
    says(
        Bootstrap::new(Seed(1)).resamples(0),
        "set resamples of Bootstrap to 0: it must be at least 1",
    );
    says(Bootstrap::new(Seed(1)).level(1.0), "above 0 and below 1");
    says(Bootstrap::new(Seed(1)).level(f64::NAN), "above 0 and below 1");
    says(Bootstrap::new(Seed(1)).together(2), "a divisor of 3");
    says(Bootstrap::new(Seed(1)).together(0), "a divisor of 3");
}

#[test]
fn resamples_are_a_promise() {
    let outputs: Vec<f32> = (0..12).map(|i| ((i * i * 37) % 23) as f32 / 4.0).collect();
    let targets = Targets::Values(vec![0.0; 12]);
    let interval = Bootstrap::new(Seed(9)).resamples(200);
    let interval = interval.interval(&MeanAbsolute.into(), &outputs, 1, &targets, None).unwrap();
    // Computed apart from this code: the keys hashed with the reference BLAKE3, then PCG64 and
    // Lemire's method in Python's integers, then numpy's quantiles.
    let expected = [3.3541666666666665, 2.4369791666666667, 4.208854166666667];
    for (found, expected) in [interval.value, interval.low, interval.high].iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{interval:?}");
    }
}
