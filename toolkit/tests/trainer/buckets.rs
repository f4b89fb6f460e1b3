//! Training on sequences of like length, cut behind the longest of each batch.

use std::sync::{Arc, Mutex};

use trainbook::data::{Batch, Batches, Loader};
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::trainer::TrainerBuilder;

const POSITIONS: usize = 30;

/// 120 texts of 1 to 30 of nine words, in two classes, which say whether more of them are among the
/// first four than among the others.
fn texts() -> Dataset {
    let mut draws = Stream::new(Seed(0), "texts").at(0, 0);
    let mut file = "class,text\n".to_owned();
    for _ in 0..120 {
        // Most are short.
        let most = if draws.below(4) == 0 { POSITIONS as u64 } else { 8 };
        let length = 1 + draws.below(most);
        let words: Vec<u64> = (0..length).map(|_| draws.below(9)).collect();
        let small = words.iter().filter(|word| **word < 4).count() as u64;
        let words: Vec<String> = words.iter().map(|word| format!("w{word}")).collect();
        file +=
            &format!("{},{}\n", ["no", "yes"][usize::from(2 * small > length)], words.join(" "));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.csv");
    std::fs::write(&path, file).unwrap();
    let table = Dataset::csv(&path).unwrap().words("text", Words::new(POSITIONS)).unwrap();
    table.target("class").unwrap().split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap()
}

fn embedding() -> layer::Embedding {
    layer::Embedding::new(11, 12).padding_index(0)
}

fn net() -> Sequential {
    let attends = Sequential::new().with(layer::MultiHeadAttention::new(2));
    Sequential::new()
        .with(embedding())
        .residual(attends)
        .dropout(0.1)
        .with(layer::PositionAvgPool)
        .linear(2)
}

fn builder(data: &Dataset, net: Sequential) -> TrainerBuilder {
    Trainer::classifier(data, net).seed(3).batch_size(8).learning_rate(1e-2).quiet()
}

#[test]
fn cut_batches_train_as_padded_ones_do() {
    let data = texts();
    let run = |at_least| {
        let buckets = Buckets { at_least, ..Buckets::default() };
        let mut trainer = builder(&data, net()).bucket_by_length(buckets).build().unwrap();
        trainer.fit(Epochs(6)).unwrap()
    };
    // The same rows in each batch, cut and not cut.
    let (cut, padded) = (run(1), run(POSITIONS));
    for (a, b) in cut.history().iter().zip(padded.history()) {
        for (a, b) in a.metrics.iter().zip(&b.metrics) {
            assert!((a.value - b.value).abs() < 1e-3, "{a:?}, {b:?}");
        }
    }
    let last = cut.history().last().unwrap().metrics.clone();
    assert!(last[0].value < 0.5, "{last:?}");
}

#[test]
fn a_fit_sees_the_batches_that_the_loader_gives() {
    let data = texts();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let write = Arc::clone(&seen);
    let look = on_step_end(move |step| {
        write.lock().unwrap().push(step.samples.to_vec());
        Ok(Flow::Continue)
    });
    let trainer = builder(&data, net()).bucket_by_length(Buckets::default()).with(look);
    trainer.build().unwrap().fit(Epochs(1)).unwrap();
    let stream = Stream::new(Seed(3), "shuffle");
    let loader = Loader::new(&data, Part::Train, 8, Some(stream));
    let mut loader = loader.bucket_by_length(0, Buckets::default()).unwrap();
    let (mut expected, mut batch) = (Vec::new(), Batch::default());
    loader.start(0);
    while loader.next(&mut batch).unwrap() {
        expected.push(batch.samples.clone());
    }
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_cut_fit_is_recorded_resumed_and_made_again_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = texts();
    let trainer = || builder(&data, net()).bucket_by_length(Buckets::default()).store(&store);
    let whole = trainer().build().unwrap().fit(Epochs(4)).unwrap();
    let record = store.run(whole.id().unwrap()).unwrap();
    assert_eq!(record.summary.params["bucket_by_length"].to_string(), "50");
    let again = record.trainer_on(&data, &Kinds::standard()).unwrap().quiet();
    let again = again.build().unwrap().fit(Epochs(4)).unwrap();
    assert_eq!(again.weights_sha256(), whole.weights_sha256());
    // Stopped in the middle of an epoch.
    let mut stopped = trainer().with(Budget::steps(17)).build().unwrap();
    stopped.fit(Epochs(4)).unwrap();
    let mut other = trainer().build().unwrap();
    let resumed = other.resume_last().unwrap();
    assert_eq!(resumed.weights_sha256(), whole.weights_sha256());
    // Mixed precision and activations that are computed again know other lengths too.
    for builder in
        [trainer().precision(trainbook::task::Precision::Mixed), trainer().checkpoint_activations()]
    {
        let run = builder.build().unwrap().fit(Epochs(2)).unwrap();
        assert!(run.evaluate(Part::Validation).unwrap().loss.is_finite());
    }
}

#[test]
fn checks_and_monitors_know_cut_batches() {
    let data = texts();
    let net = Sequential::new().with(embedding()).with(layer::PositionAvgPool).linear(8).relu();
    let trainer = builder(&data, net.linear(2)).bucket_by_length(Buckets::default());
    let mut trainer = trainer.with(every(2, ActivationMonitor::new())).build().unwrap();
    let before = trainer.state_hash().unwrap();
    trainer.find_lr().unwrap();
    trainer.overfit_check(6).unwrap();
    trainer.init_report().unwrap();
    let memory = trainer.memory().unwrap();
    assert_eq!(memory.batches, 8 * (POSITIONS * 8 + 12), "{memory:?}");
    assert_eq!(trainer.state_hash().unwrap(), before);
    trainer.fit(Epochs(2)).unwrap();
}

#[test]
fn networks_that_need_every_position_are_refused() {
    let data = texts();
    let error = |net: Sequential, buckets| {
        let trainer = builder(&data, net).bucket_by_length(buckets);
        trainer.build().err().unwrap().to_string()
    };
    let all = Buckets::default();
    let plain = layer::Embedding::new(11, 12);
    let without = Sequential::new().with(plain).with(layer::PositionAvgPool).linear(2);
    assert!(error(without, all).contains("knows of no padding"));
    let flat = error(Sequential::new().with(embedding()).flatten().linear(2), all);
    assert!(flat.contains("has the shape [2, 360] for sequences of [30] alone"), "{flat}");
    // What goes through all positions, padding too.
    let last = Sequential::new().with(embedding()).with(layer::Gru::new(4).last()).linear(2);
    let last = error(last, all);
    assert!(last.contains("does not pass padding over: for row"), "{last}");
    let numbers = crate::support::clouds();
    let numbers = builder(&numbers, Sequential::new().linear(3)).bucket_by_length(all);
    assert!(numbers.build().err().unwrap().to_string().contains("knows of no padding"));
    let wrong = error(net(), Buckets { at_least: 31, ..all });
    assert!(wrong.contains("at_least from 1 to 30"), "{wrong}");

    // A class for each position.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, "to be or not to be, that is the question. ".repeat(20)).unwrap();
    let text = Dataset::text(&path).unwrap().characters(12, 1).unwrap();
    let text = text.split(Split::in_order(0.8, 0.2, 0.0), Seed(1)).unwrap();
    let characters = text.vocabulary_size();
    let each = layer::Embedding::new(characters, 8).padding_index(0);
    let each = Trainer::classifier(&text, Sequential::new().with(each).linear(characters));
    let error = each.bucket_by_length(all).build().err().unwrap().to_string();
    assert!(error.contains("an output for each position"), "{error}");
}
