//! The weights that a stopped fit leaves are those of its best epoch.

use std::sync::{Arc, Mutex};

use trainbook::callbacks::StopKind;
use trainbook::prelude::*;

use crate::support::{builder, clouds};

#[test]
fn the_best_epoch_is_what_remains() {
    let data = clouds().normalize(Normalize::standard()).unwrap();
    let snapshots = Arc::new(Mutex::new(Vec::new()));
    let taken = snapshots.clone();
    let mut trainer = builder(&data, 1)
        .learning_rate(0.03)
        .with(EarlyStopping::on("val_loss").patience(3).restore_best())
        .with(on_epoch_end(move |epoch| {
            taken.lock().unwrap().push(epoch.weights.snapshot()?);
            Ok(Flow::Continue)
        }))
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(100)).unwrap();
    assert_eq!(run.stopped_because().kind, StopKind::EarlyStopping);
    assert_eq!(run.stopped_because().by, "EarlyStopping");

    let loss = |epoch: usize| {
        run.history()[epoch].metrics.iter().find(|m| m.name == "val_loss").unwrap().value
    };
    let epochs = run.history().len();
    let best = (0..epochs).min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap();
    assert_eq!((run.epochs() as usize, best + 3), (epochs, epochs - 1), "patience is 3");
    assert!(best > 0);

    let snapshots = snapshots.lock().unwrap();
    assert_eq!(run.model().weights(), snapshots[best]);
    assert_ne!(run.model().weights(), snapshots[epochs - 1]);
    assert_eq!(run.evaluate(Part::Validation).unwrap().loss, loss(best));

    // and that is what would be exported
    let graph = run.graph().unwrap();
    let exported: Vec<&[f32]> = graph
        .weights()
        .filter(|(name, ..)| !name.starts_with("normalize"))
        .map(|(_, _, values)| values)
        .collect();
    assert_eq!(exported, snapshots[best].0);
}

#[test]
fn without_restore_the_last_epoch_remains() {
    let data = clouds();
    let fit = |stopping: EarlyStopping| {
        builder(&data, 1)
            .learning_rate(0.03)
            .with(stopping)
            .build()
            .unwrap()
            .fit(Epochs(100))
            .unwrap()
    };
    let run = fit(EarlyStopping::on("val_loss").patience(3));
    let last = run.history().last().unwrap().metrics[1].value;
    assert_eq!(run.evaluate(Part::Validation).unwrap().loss, last);
    // two different kinds of "best" are two different stops
    assert_ne!(run.epochs(), fit(EarlyStopping::on("val_loss").patience(6)).epochs());
}

#[test]
fn validations_in_the_middle_of_epochs_are_looked_at_and_change_nothing() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = trainbook::history::Store::open(folder.path()).unwrap();
    let build = |average: &WeightAverage, steps: Option<Steps>| {
        // A store may be lent or given.
        let builder = builder(&data, 1).with(LrSchedule::constant(0.01)).store(store.clone());
        let builder = builder.with(average.clone());
        steps.into_iter().fold(builder, trainbook::trainer::TrainerBuilder::validate_every)
    };
    let fit = |average, steps| {
        let mut trainer = build(average, steps).with(Checkpoint::best("val_loss")).build().unwrap();
        let run = trainer.fit(Epochs(6)).unwrap();
        let series = store.run(&run).unwrap().series.clone();
        (run.model().weights(), series["val_loss"].clone())
    };
    let swa = WeightAverage::swa(2);
    assert_eq!(fit(&swa, None).0, fit(&swa, Some(Steps(2))).0);
    let ema = WeightAverage::ema(0.9);
    let (plain, at_ends) = fit(&ema, None);
    // Five steps an epoch: behind every second step of the fit, and at the ends of epochs.
    let (often, all) = fit(&ema, Some(Steps(2)));
    assert_eq!(plain, often);
    let steps = |points: &[(u64, f64)]| points.iter().map(|(step, _)| *step).collect::<Vec<_>>();
    assert_eq!(steps(&at_ends), [5, 10, 15, 20, 25, 30]);
    #[rustfmt::skip]
    assert_eq!(
        steps(&all),
        [2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 24, 25, 26, 28, 30]
    );
    let ends: Vec<_> = all.iter().filter(|(step, _)| step % 5 == 0).copied().collect();
    assert_eq!(ends, at_ends);

    // Stopped in the middle of an epoch, with the weights that were best there.
    let snapshots = Arc::new(Mutex::new(Vec::new()));
    let taken = snapshots.clone();
    let mut trainer = builder(&data, 1)
        .learning_rate(0.05)
        .validate_every(Steps(1))
        .with(EarlyStopping::on("val_loss").patience(3).restore_best())
        .with(on_validated(move |validated| {
            let loss = validated.metric("val_loss").failed_to("find the loss")?;
            taken.lock().unwrap().push((loss, validated.weights.snapshot()?));
            Ok(Flow::Continue)
        }))
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(100)).unwrap();
    let reason = run.stopped_because();
    assert_eq!(reason.kind, StopKind::EarlyStopping);
    let best = run.evaluate(Part::Validation).unwrap().loss;
    let snapshots = snapshots.lock().unwrap();
    // Neither the best nor the stop is at the end of an epoch, of five steps.
    let found = snapshots.iter().find(|(loss, _)| *loss == best).unwrap();
    assert_eq!(found.1, run.model().weights());
    assert_ne!(trainer.counters().batches_seen % 5, 0);
    assert!(snapshots.iter().all(|(loss, _)| *loss >= best));

    let refused =
        |builder: trainbook::trainer::TrainerBuilder| builder.build().err().unwrap().to_string();
    assert!(refused(build(&ema, Some(Steps(0)))).contains("at least 1 step"));
    let without = data.split(Split::random(0.9, 0.0, 0.1), Seed(1)).unwrap();
    let error = refused(builder(&without, 1).validate_every(Steps(2)));
    assert!(error.contains("with a validation part"), "{error}");
}
