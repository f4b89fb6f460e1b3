//! A number that is not finite is traced to its layer and its sample.

use serde::{Deserialize, Serialize};
use trainbook::nn::Plan;
use trainbook::nn::dfdx::prelude::{TryAdd, TryDiv, TryMul, TrySub};
use trainbook::nn::layer::{Fault, Layer, Misfit};
use trainbook::nn::on_dfdx::{Backend, Flow as Values, Pass, Real};
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

/// Divides by 0 where its input is 0: x·(x/x).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fragile;

impl Layer for Fragile {
    const KIND: &'static str = "Fragile";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Values<E, D>,
    ) -> Result<Values<E, D>, Fault> {
        use trainbook::nn::dfdx::tensor::WithEmptyTape;
        x.map(|x| {
            // x + 0 is another tensor than x.
            let same = x.with_empty_tape().try_add(E::of(0.0))?;
            let ratio = same.try_div(x.with_empty_tape().try_sub(E::of(0.0))?)?;
            Ok(ratio.try_mul(x)?)
        })
    }
}

/// 160 rows in batches of 32 as they come, of which number 137 is all 0: it is in batch 5.
fn data() -> Dataset {
    let row = |row: usize| {
        let x = if row == 137 { 0.0 } else { 1.0 + (row as f32 * 0.3).sin().abs() };
        [x, x]
    };
    let classes = Targets::Classes((0..160).map(|row| row % 2).collect());
    Dataset::from_rows("one is 0", 2, (0..160).flat_map(row).collect(), classes).unwrap()
}

fn builder(data: &Dataset, net: Sequential) -> TrainerBuilder {
    Trainer::classifier(data, net).seed(3).batch_size(32).quiet().with(NanGuard::new())
}

/// Two layers that keep 0 at 0, and the one that cannot bear it.
fn net() -> Sequential {
    Sequential::new().relu().relu().with(Fragile).linear(2)
}

#[test]
fn a_planted_nan_is_named_by_layer_step_and_sample() {
    let mut trainer = builder(&data(), net()).build().unwrap();
    let weights = trainer.checkpoint().unwrap();
    let run = trainer.fit(Epochs(1)).unwrap();
    let reason = run.stopped_because().to_string();
    let step = trainer.counters().batches_seen;
    let expected = format!(
        "non_finite (NanGuard): forward, 2 (Fragile) gives 2 NaN for sample 137; the loss is NaN at \
         step {step}"
    );
    assert_eq!(reason, expected);
    // The weights are those in front of the step, and so the step can be repeated.
    assert_eq!(trainer.counters().updates_applied, step - 1);
    assert_ne!(trainer.checkpoint().unwrap(), weights);
    let again = trainer.fit(Epochs(1)).unwrap().stopped_because().to_string();
    assert!(again.contains("2 (Fragile) gives 2 NaN for sample 137"), "{again}");
}

#[test]
fn of_several_batches_of_a_step_the_right_one_is_looked_at() {
    // All five batches are one step, and the row is in any of them.
    for seed in 0..4 {
        let net = net();
        let builder = Trainer::classifier(&data(), net).seed(seed).batch_size(32).quiet();
        let mut trainer = builder.with(NanGuard::new()).accumulate(5).build().unwrap();
        let reason = trainer.fit(Epochs(1)).unwrap().stopped_because().to_string();
        assert!(reason.contains("2 (Fragile) gives 2 NaN for sample 137"), "{reason}");
    }
}

#[test]
fn a_nan_of_the_backward_pass_is_named_by_its_tensor() {
    // The root has no slope at 0, and the rectifier in front of it hands on 0 · ∞.
    let net = Sequential::new().linear(4).relu().sqrt().linear(2);
    let mut trainer = builder(&data(), net).build().unwrap();
    let reason = trainer.fit(Epochs(1)).unwrap().stopped_because().to_string();
    assert!(reason.starts_with("non_finite (NanGuard): backward, gradient of 0."), "{reason}");
}

#[test]
fn what_changes_rows_at_random_is_named_too() {
    let augment = Augment::series().own("poison", |row: &mut [f32], _: &[usize], _: &mut _| {
        if row[0] == 0.0 {
            row[0] = f32::INFINITY;
        }
    });
    let (data, net) = (data().series(1, 2).unwrap(), Sequential::new().flatten().linear(2));
    let mut trainer = builder(&data, net).augment(augment).build().unwrap();
    let reason = trainer.fit(Epochs(1)).unwrap().stopped_because().to_string();
    assert!(reason.contains("forward, the input gives 1 infinite for sample 137"), "{reason}");
}
