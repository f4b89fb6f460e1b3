//! What a step holds is known before training, and most activations need not be kept.

use serde::{Deserialize, Serialize};
use trainbook::history::Store;
use trainbook::nn::dfdx::prelude::{TryMul, WithEmptyTape};
use trainbook::nn::layer::{Fault, Layer, Misfit};
use trainbook::nn::on_dfdx::{Backend, Flow as Values, Pass, Real};
use trainbook::nn::{Plan, Sample};
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::{clouds, weight_bits};

const PARAMETERS: usize = 4 * 8 + 8 + 7 * (8 * 8 + 8) + 8 * 3 + 3;

fn deep(data: &Dataset) -> TrainerBuilder {
    let net = (0..7).fold(Sequential::new().linear(8), |net, _| net.tanh().linear(8));
    Trainer::classifier(data, net.linear(3)).seed(1).batch_size(16).quiet()
}

#[test]
fn a_step_is_counted_before_there_is_one() {
    let data = clouds();
    let trainer = deep(&data).build().unwrap();
    let before = trainer.state_hash().unwrap();
    let report = trainer.memory().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    let step = &report.step;
    assert_eq!([step.weights, step.gradients, step.moments], [1, 1, 2].map(|n| n * 4 * PARAMETERS));
    // Sixteen rows of four numbers, their classes and their numbers.
    assert_eq!((step.copies, report.batches), (0, 16 * (4 * 4 + 4 + 8)));
    // Each of the eight hidden layers keeps its output at least.
    assert!(step.activations >= 8 * 16 * 8 * 4, "{step:?}");
    assert_eq!(report.total(), report.batches + step.total());
    let text = report.to_string();
    assert!(text.contains("activations") && text.ends_with("at batches of 16"), "{text}");

    let mixed = deep(&data).precision(Precision::Mixed).build().unwrap().memory().unwrap();
    assert_eq!(mixed.step.copies, 2 * 4 * PARAMETERS);
    assert_eq!(mixed.step.moments, step.moments);
    let ahead = deep(&data).prefetch(3).build().unwrap().memory().unwrap();
    assert_eq!(ahead.batches, 5 * report.batches);
    let double = deep(&data).batch_size(32).build().unwrap().memory().unwrap();
    assert_eq!(double.step.activations, 2 * step.activations);
}

#[test]
fn activations_that_are_computed_again_need_less_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let whole = deep(&data).build().unwrap().fit(Epochs(4)).unwrap();
    let saving = || deep(&data).checkpoint_activations().store(&store);
    let [more, less] = [deep(&data), saving()].map(|builder| {
        let report = builder.build().unwrap().memory().unwrap();
        report.step.activations
    });
    assert!(less < more * 4 / 5, "{less} of {more}");
    let saved = saving().build().unwrap().fit(Epochs(4)).unwrap();
    assert_eq!(weight_bits(&saved), weight_bits(&whole));

    // The run says so, and goes on without it all the same.
    let stop = on_epoch_end(|epoch| {
        Ok(if epoch.counters.epoch == 1 { Flow::stop("enough") } else { Flow::Continue })
    });
    let run = saving().with(stop).build().unwrap().fit(Epochs(4)).unwrap();
    let stored = store.run(run.id().unwrap().as_str()).unwrap();
    assert!(stored.recipe().unwrap().checkpoint_activations);
    let resumed = deep(&data).store(&store).build().unwrap().resume(&stored).unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&whole));
}

/// x · sin x, without a form of its own on the processor.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Own;

impl Layer for Own {
    const KIND: &'static str = "Own";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Values<E, D>,
    ) -> Result<Values<E, D>, Fault> {
        x.map(|x| Ok(x.with_empty_tape().try_sin()?.try_mul(x)?))
    }
}

#[test]
fn what_is_not_counted_is_named() {
    let net = Sequential::new().linear(8).with(Own).linear(3);
    let trainer = Trainer::classifier(&clouds(), net).seed(1).quiet().build().unwrap();
    let report = trainer.memory().unwrap();
    assert_eq!(report.step.uncounted, ["Own 1"]);
    assert!(report.to_string().contains("not counted: what Own 1 holds"), "{report}");
}
