//! Optimisers.

use std::collections::BTreeMap;

use serde::Deserialize;
use trainbook_nn::optim::{Optimizer, Step};

use crate::layers::Array;

#[derive(Deserialize)]
struct Case {
    name: String,
    optimizer: Optimizer,
    learning_rate: f64,
    start: Start,
    /// Weights and biases after so many updates.
    after: BTreeMap<u64, Vec<f64>>,
}

#[derive(Deserialize)]
struct Start {
    weight: Array,
    bias: Array,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/optimizers.json")).unwrap()
}

/// The gradient of update `t`, from 1.
fn gradient(t: u64) -> Vec<f32> {
    let t = t as f64;
    (0..20).map(|i| ((0.37 * f64::from(i + 1) * t).sin() * (0.11 * t).cos()) as f32).collect()
}

/// Weights, biases and their moments.
#[derive(Clone)]
struct Training {
    values: [Vec<f32>; 2],
    moments: [Vec<Vec<f32>>; 2],
}

impl Training {
    fn begin(case: &Case) -> Self {
        let values = [&case.start.weight, &case.start.bias]
            .map(|array| array.data.iter().map(|v| *v as f32).collect::<Vec<_>>());
        let rule = case.optimizer.rule();
        let moments = [0, 1].map(|part: usize| {
            let fresh = |number| vec![rule.begin(number); values[part].len()];
            (0..rule.moments()).map(fresh).collect()
        });
        Self { values, moments }
    }

    fn update(&mut self, case: &Case, update: u64) {
        let rule = case.optimizer.rule();
        let gradient = gradient(update);
        let (weight, bias) = gradient.split_at(15);
        for (part, (gradient, decay)) in
            [(weight, rule.weight_decay()), (bias, 0.0)].into_iter().enumerate()
        {
            let step = Step { rate: case.learning_rate, update, decay };
            let mut moments: Vec<&mut [f32]> =
                self.moments[part].iter_mut().map(Vec::as_mut_slice).collect();
            rule.step(step).apply(&mut self.values[part], gradient, &mut moments);
        }
    }

    fn difference(&self, expected: &[f64]) -> f64 {
        let pairs = self.values.iter().flatten().zip(expected);
        pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
    }
}

#[test]
fn weights_after_a_hundred_updates_are_those_of_pytorch() {
    let cases = cases();
    assert_eq!(cases.len(), 50);
    let mut largest = BTreeMap::<String, f64>::new();
    for case in &cases {
        let mut training = Training::begin(case);
        for update in 1..=100 {
            training.update(case, update);
            if let Some(expected) = case.after.get(&update) {
                let difference = training.difference(expected);
                let name = format!("{} {}", case.optimizer.name(), case.name);
                let seen = largest.entry(name).or_default();
                *seen = seen.max(difference);
            }
        }
    }
    eprintln!("{largest:#?}");
    for (name, difference) in largest {
        assert!(difference < 1e-6, "{name}: {difference:e}");
    }
}
