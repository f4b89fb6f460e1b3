//! How batches are made of rows: drawn, augmented, read ahead; and one network on several folds.

use trainbook::data::RowMarks;
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::trainer::TrainerBuilder;

use crate::support::{builder, clouds};

/// Waves of two kinds as series, 60 to train on and as many to validate.
fn waves() -> Dataset {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for row in 0..120_u64 {
        let mut draws = Stream::new(Seed(5), "waves").at(0, row);
        let phase = draws.unit();
        for at in 0..24 {
            let x = (f64::from(at) / 12.0 + phase).fract();
            let wave = if row % 2 == 0 { (std::f64::consts::TAU * x).sin() } else { 2.0 * x - 1.0 };
            values.push((wave + 0.2 * draws.normal()) as f32);
        }
        classes.push((row % 2) as u32);
    }
    let data = Dataset::from_rows("waves", 24, values, Targets::Classes(classes)).unwrap();
    let data = data.series(1, 24).unwrap();
    data.split(Split::stratified(0.5, 0.5, 0.0), Seed(1)).unwrap()
}

fn on_waves(data: &Dataset) -> TrainerBuilder {
    let net = Sequential::new().with(layer::Conv1d::new(4, 5)).relu().global_avg_pool().linear(2);
    Trainer::classifier(data, net).seed(2).batch_size(16).quiet()
}

fn augment() -> Augment {
    Augment::series().jitter(0.1).time_shift(3)
}

fn weights_of(run: &Run) -> String {
    run.weights_sha256()
}

#[test]
fn augmented_runs_are_the_same_read_ahead_or_not_and_from_their_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = waves();
    let fit = |builder: TrainerBuilder| builder.build().unwrap().fit(Epochs(3)).unwrap();
    let plain = fit(on_waves(&data));
    let run = fit(on_waves(&data).augment(augment()).store(&store));
    assert_ne!(weights_of(&run), weights_of(&plain));
    for batches in [1, 4] {
        assert_eq!(
            weights_of(&fit(on_waves(&data).augment(augment()).prefetch(batches))),
            weights_of(&run)
        );
    }
    let stored = store.run(run.id().unwrap()).unwrap();
    assert_eq!(stored.recipe().unwrap().feed.augment, Some(augment()));
    let again = stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet();
    assert_eq!(weights_of(&fit(again)), weights_of(&run));
    assert_eq!(stored.summary.params["augment"].to_string(), "jitter, time_shift");

    let refused = builder(&clouds(), 1).augment(augment()).build().err().unwrap().to_string();
    assert!(refused.contains("`.series(channels, length)`"), "{refused}");
}

#[test]
fn rows_are_drawn_as_the_trainer_says() {
    let data = clouds();
    let fit = |builder: TrainerBuilder| builder.build().unwrap().fit(Epochs(2)).unwrap();
    let plain = weights_of(&fit(builder(&data, 1)));
    let balanced = fit(builder(&data, 1).sampling(Sampling::Balanced));
    assert_ne!(weights_of(&balanced), plain);
    assert_eq!(weights_of(&fit(builder(&data, 1).sampling(Sampling::Shuffled))), plain);
    let error = builder(&data, 1).sampling(Sampling::Weighted).build().err().unwrap().to_string();
    assert!(error.contains("weights"), "{error}");
    // Whoever has the weight 0 is never drawn: the network cannot learn the third class.
    let heavy = |row: usize| if row % 3 == 2 { 0.0 } else { 1.0 };
    let weighted = data.clone().weights((0..100).map(heavy).collect()).unwrap();
    assert_eq!(weighted.marks().weights.as_ref().unwrap().len(), 100);
    assert_ne!(*weighted.marks(), RowMarks::default());
    let run = fit(builder(&weighted, 1).sampling(Sampling::Weighted).learning_rate(0.05));
    let report = run.report(Part::Train).unwrap();
    assert_eq!(report.confusion.unwrap().taken(2), 0.0);

    // 70 rows in batches of 16: 4 whole ones, and one of 6.
    let batches = |last| {
        let run = fit(builder(&data, 1).last_batch(last));
        run.history().last().unwrap().step / 2
    };
    assert_eq!([LastBatch::Keep, LastBatch::Drop, LastBatch::Fill].map(batches), [5, 4, 5]);
    let filled = builder(&data, 1).batch_size(71).last_batch(LastBatch::Fill).build();
    let error = filled.err().unwrap().to_string();
    assert!(error.contains("70 rows, and LastBatch::Fill would repeat them"), "{error}");
    let too_large = builder(&data, 1).batch_size(71).last_batch(LastBatch::Drop).build();
    let error = too_large.err().unwrap().to_string();
    assert!(error.contains("70 rows, which fill no batch of 71"), "{error}");
}

#[test]
fn folds_give_runs_of_one_group_with_a_mean_and_an_interval() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let folds = KFold::new(4).stratified();
    let make = |fold: &Dataset| builder(fold, 1).store(&store).learning_rate(0.02);
    let found = cross_validate(&data, &folds, Seed(3), Epochs(4), make).unwrap();
    assert_eq!(found.runs.len(), 4);
    let accuracy = found.score("val_accuracy").unwrap();
    let mean = accuracy.folds.iter().sum::<f64>() / 4.0;
    assert!((accuracy.mean - mean).abs() < 1e-12 && mean > 0.6, "{found}");
    // Student's t of 3 degrees of freedom at 0.975, and a third as many rows as are trained on.
    let half = 3.182_446_305 * accuracy.std * (0.25_f64 + 25.0 / 75.0).sqrt();
    assert!((accuracy.interval.1 - mean - half).abs() < 2e-3 * half.max(1e-9), "{found}");
    assert!(accuracy.interval.0 < mean && mean < accuracy.interval.1, "{found}");
    let summary = |run: &Run| store.run(run.id().unwrap()).unwrap().summary.clone();
    let group = summary(&found.runs[0]).tags["cross_validation"].clone();
    let query = format!("tags.cross_validation = \"{group}\"");
    assert_eq!(store.query(&query).unwrap().len(), 4);
    assert_eq!(summary(&found.runs[3]).tags["fold"], "3");
    // Every row is validated on once.
    let mut rows: Vec<usize> = Vec::new();
    for fold in data.folds(&folds, Seed(3)).unwrap() {
        rows.extend_from_slice(fold.part(Part::Validation));
    }
    rows.sort_unstable();
    assert_eq!(rows, (0..100).collect::<Vec<_>>());
    let text = found.to_string();
    assert!(text.contains("val_loss") && text.contains("95 % from"), "{text}");
}

#[test]
fn how_rows_are_drawn_is_recorded_and_a_dev_run_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    // The first rows have no weight, so that a few of them could not be drawn from.
    let weights = (0..100).map(|row| if row < 60 { 0.0 } else { 1.0 }).collect();
    let data = clouds().weights(weights).unwrap();
    let make = || {
        let builder = builder(&data, 1).sampling(Sampling::Weighted).last_batch(LastBatch::Drop);
        builder.store(&store).build().unwrap()
    };
    let expected = make().fit(Epochs(2)).unwrap();
    let mut trainer = make();
    trainer.dev_run(1).unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    assert_eq!(weights_of(&run), weights_of(&expected));
    let stored = store.run(run.id().unwrap()).unwrap();
    let param = |name: &str| stored.summary.params[name].to_string();
    assert_eq!([param("sampling"), param("last_batch")], ["weighted", "drop"]);
    let balanced = builder(&clouds(), 1).sampling(Sampling::Balanced).store(&store);
    let run = balanced.last_batch(LastBatch::Fill).build().unwrap().fit(Epochs(1)).unwrap();
    let stored = store.run(run.id().unwrap()).unwrap();
    let param = |name: &str| stored.summary.params[name].to_string();
    assert_eq!([param("sampling"), param("last_batch")], ["balanced", "fill"]);
}
