//! What a step holds is known before training, and most activations need not be kept.

use trainbook::history::Store;
use trainbook::nn::layer::{LayerNorm, LearnedPositions, TransformerEncoderLayer};
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::{Wave, clouds, weight_bits};

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

#[test]
fn what_is_not_counted_is_named() {
    let net = Sequential::new().linear(8).with(Wave).linear(3);
    let trainer = Trainer::classifier(&clouds(), net).seed(1).quiet().build().unwrap();
    let report = trainer.memory().unwrap();
    assert_eq!(report.step.uncounted, ["Wave 1"]);
    assert!(report.to_string().contains("not counted: what Wave 1 holds"), "{report}");
}

/// The transformer of which the book tells.
#[test]
fn the_book_says_what_is_counted() {
    let hamlet = concat!(env!("CARGO_MANIFEST_DIR"), "/../notebooks/data/hamlet.txt.gz");
    let text = Dataset::text(hamlet).unwrap().characters(64, 1).unwrap();
    let text = text.split(Split::in_order(0.9, 0.1, 0.0), Seed(1)).unwrap();
    let characters = text.classes().unwrap();
    let block = TransformerEncoderLayer::new(4, 256).norm_first().causal();
    let net = Sequential::new()
        .embedding(characters, 128)
        .with(LearnedPositions::new(64))
        .repeat(12, block)
        .with(LayerNorm::new())
        .linear(characters);
    let trainer = || Trainer::classifier(&text, net.clone()).seed(1).batch_size(16).quiet();
    let plain = trainer().build().unwrap().memory().unwrap();
    let saving = trainer().checkpoint_activations().build().unwrap().memory().unwrap();
    let book = include_str!("../../../book/src/precision.md");
    let activations =
        format!("its activations take {:.2} MB", saving.step.activations as f64 / 1e6);
    assert!(book.contains(&format!("```text\n{plain}\n```")), "{plain}");
    assert!(book.contains(&activations), "{activations}");
}
