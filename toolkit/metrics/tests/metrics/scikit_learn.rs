//! The numbers of scikit-learn, to 1e-9.

use std::collections::BTreeMap;

use trainbook_metrics::Metric;

use crate::fixture::{Fixture, measured, targets};

#[test]
fn numbers_are_those_of_scikit_learn() {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut wrong = Vec::new();
    for (at, case) in Fixture::read().cases.iter().enumerate() {
        let targets = targets(case.classes.as_deref(), case.values.as_deref());
        for (json, expected) in &case.scores {
            let metric: Metric = serde_json::from_str(json).unwrap();
            let weights = case.weights.as_deref();
            metric.measure().check(&[case.width]).unwrap();
            for batch in [1, 7, 1000] {
                let outputs = (&case.outputs[..], case.width);
                let found = measured(&metric, outputs, &targets, weights, &[batch]);
                let expected = expected.unwrap_or(f64::NAN);
                let near = (found - expected).abs() < 1e-9 * (1.0 + expected.abs());
                if !(near || found.is_nan() && expected.is_nan()) {
                    wrong.push(format!("case {at}, {json}: {found} for {expected}"));
                }
            }
            let kind: serde_json::Value = serde_json::from_str(json).unwrap();
            *seen.entry(kind["metric"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in Metric::names() {
        assert!(seen.get(*name).is_some_and(|cases| *cases >= 7), "{name} has too few cases");
    }
}
