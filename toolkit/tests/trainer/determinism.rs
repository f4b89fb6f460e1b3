//! The same seed gives the same bits, whoever looks on.

use trainbook::prelude::*;
use trainbook::store::Store;
use trainbook::task::Recipe;

use crate::support::{batches, builder, clouds, counts, weight_bits};

#[test]
fn the_seed_decides_everything() {
    let data = clouds();
    let fit = |seed| builder(&data, seed).build().unwrap().fit(Epochs(3)).unwrap();
    let (one, again, other) = (fit(1), fit(1), fit(2));
    assert_eq!(weight_bits(&one), weight_bits(&again));
    assert_eq!(one.weights_sha256(), again.weights_sha256());
    assert_eq!(one.history(), again.history());
    assert_ne!(weight_bits(&one), weight_bits(&other));
    assert_ne!(one.history(), other.history());
}

#[test]
fn without_a_seed_one_is_drawn_and_told() {
    let data = clouds();
    let drawn = || {
        Trainer::classifier(&data, Network::of::<crate::support::Mlp>())
            .batch_size(16)
            .quiet()
            .build()
            .unwrap()
    };
    let (mut one, other) = (drawn(), drawn());
    assert_ne!(one.seed(), other.seed());
    let run = one.fit(Epochs(2)).unwrap();
    assert_eq!(run.seed(), one.seed());
    let again = builder(&data, run.seed().0).build().unwrap().fit(Epochs(2)).unwrap();
    assert_eq!(weight_bits(&run), weight_bits(&again));
}

#[test]
fn looking_on_changes_nothing() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let alone = builder(&data, 1).build().unwrap().fit(Epochs(3)).unwrap();
    let mut watched = builder(&data, 1)
        .with(GradientMonitor::new())
        .with(every(2, on_step_end(|_| Ok(Flow::Continue))))
        .with(Progress::to(Box::new(std::io::sink())))
        .with(Checkpoint::last())
        .store(&store)
        .build()
        .unwrap();
    assert!(watched.plan().callbacks().iter().any(|c| c.name == "Recorder"));
    let watched = watched.fit(Epochs(3)).unwrap();
    assert_eq!(weight_bits(&alone), weight_bits(&watched));
    assert_eq!(alone.history(), watched.history());
}

#[test]
fn finding_a_learning_rate_leaves_no_trace() {
    let data = clouds();
    let with = || {
        builder(&data, 1)
            .with(Clip::global_norm(1.0))
            .with(EarlyStopping::on("val_loss"))
            .build()
            .unwrap()
    };
    let mut trainer = with();
    trainer.fit(Epochs(1)).unwrap();
    let before = trainer.state_hash().unwrap();
    let curve = trainer.find_lr().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    let again = trainer.find_lr().unwrap();
    assert_eq!(curve.points(), again.points());
    assert_eq!(curve.suggestions(), again.suggestions());
    let run = trainer.fit(Epochs(2)).unwrap();

    let mut untouched = with();
    untouched.fit(Epochs(1)).unwrap();
    assert_eq!(untouched.state_hash().unwrap(), before);
    let expected = untouched.fit(Epochs(2)).unwrap();
    assert_eq!(weight_bits(&run), weight_bits(&expected));
    assert_eq!(run.history(), expected.history());
    assert_eq!(trainer.state_hash().unwrap(), untouched.state_hash().unwrap());
}

#[test]
fn two_fits_are_one_long_one() {
    let data = clouds();
    let mut at_once = builder(&data, 1).build().unwrap();
    let five = at_once.fit(Epochs(5)).unwrap();
    let mut in_two = builder(&data, 1).build().unwrap();
    let two = in_two.fit(Epochs(2)).unwrap();
    let frozen = weight_bits(&two);
    let three = in_two.fit(Epochs(3)).unwrap();
    assert_eq!(weight_bits(&five), weight_bits(&three));
    assert_eq!([two.history(), three.history()].concat(), five.history());
    assert_eq!((two.epochs(), three.epochs()), (2, 3));
    assert_eq!(counts(in_two.counters()), counts(at_once.counters()));
    assert_eq!(in_two.state_hash().unwrap(), at_once.state_hash().unwrap());
    assert_eq!(weight_bits(&two), frozen, "the first run's network was trained further");
}

#[test]
fn every_part_of_the_state_shows_in_its_hash() {
    let data = clouds();
    let hash = |trainer: &Trainer| trainer.state_hash().unwrap();
    let mut trainer = builder(&data, 1).build().unwrap();
    let first = hash(&trainer);
    assert_eq!(first, hash(&builder(&data, 1).build().unwrap()));
    assert_ne!(first, hash(&builder(&data, 2).build().unwrap()));
    assert_ne!(first, hash(&builder(&data, 1).learning_rate(0.5).build().unwrap()));
    assert_ne!(first, hash(&builder(&data, 1).with(Clip::value(1.0)).build().unwrap()));
    trainer.fit(Epochs(1)).unwrap();
    assert_ne!(first, hash(&trainer));
}

#[test]
fn both_engines_train_alike() {
    // Without a bias: in front of batch norm its gradient is rounding and nothing else, of which Adam
    // makes steps of full size.
    let net = Sequential::new().with(layer::Linear::new(8).no_bias());
    let net = net.with(layer::BatchNorm::new()).relu();
    let recipe = Recipe {
        seed: Seed(4),
        ..Recipe::new(
            net.with(layer::Dropout::new(0.25)).linear(3),
            Sample::numbers([4]),
            Loss::cross_entropy(),
        )
    };
    let (mut host, mut dfdx) = (recipe.task().unwrap(), recipe.task_on_dfdx().unwrap());
    let data = clouds();
    assert_eq!(host.model().weights(), dfdx.model().weights());
    for epoch in 0..4 {
        for batch in batches(&data, 4, epoch) {
            let (a, b) = (host.loss_of(&batch).unwrap(), dfdx.loss_of(&batch).unwrap());
            assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "loss {a} and {b}");
            let (a, b) = (host.global_norm().unwrap(), dfdx.global_norm().unwrap());
            assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "norm {a} and {b}");
            host.update(&1e-2.into()).unwrap();
            dfdx.update(&1e-2.into()).unwrap();
        }
    }
    let input = &batches(&data, 4, 9)[0].input;
    let (a, b) = (host.model().predict(input).unwrap(), dfdx.model().predict(input).unwrap());
    assert_eq!(a.shape, b.shape);
    for (a, b) in a.floats().iter().zip(b.floats()) {
        assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "output {a} and {b}");
    }
}
