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
