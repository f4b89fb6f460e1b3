//! Going on from a checkpoint, as if there had been no interruption.

use trainbook::prelude::*;
use trainbook::store::{RunEvent, Store};
use trainbook::trainer::TrainerBuilder;

use crate::support::{builder, clouds, counts, weight_bits};

/// Stops early by itself: at a rate this high the validation loss soon rises.
fn stopping(data: &Dataset, seed: u64) -> TrainerBuilder {
    builder(data, seed)
        .with(LrSchedule::constant(0.03))
        .with(Clip::global_norm(1.0))
        .with(EarlyStopping::on("val_loss").patience(4).restore_best())
}

#[test]
fn a_new_trainer_goes_on_where_the_old_one_was() {
    let data = clouds();
    let mut uninterrupted = stopping(&data, 1).build().unwrap();
    uninterrupted.fit(Epochs(3)).unwrap();
    let bytes = uninterrupted.checkpoint().unwrap();
    let expected = uninterrupted.fit(Epochs(50)).unwrap();

    let mut fresh = stopping(&data, 1).build().unwrap();
    fresh.load_checkpoint(&bytes).unwrap();
    assert_eq!(fresh.checkpoint().unwrap(), bytes);
    assert_eq!(counts(fresh.counters())[0], 3);
    let run = fresh.fit(Epochs(50)).unwrap();
    assert_eq!(weight_bits(&run), weight_bits(&expected));
    assert_eq!(run.history(), expected.history());
    assert_eq!(run.stopped_because(), expected.stopped_because());
    assert_eq!(fresh.state_hash().unwrap(), uninterrupted.state_hash().unwrap());
}

#[test]
fn a_checkpoint_from_the_middle_of_a_fit_goes_on_to_the_same_end() {
    // Here early stopping is in the middle of its wait, and the weights are not the best ones.
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut uninterrupted =
        stopping(&data, 1).with(Checkpoint::every_epochs(1)).store(&store).build().unwrap();
    let expected = uninterrupted.fit(Epochs(50)).unwrap();
    let stopped_after = expected.epochs();
    assert!(
        (6..50).contains(&stopped_after),
        "the fit should stop early, and did after {stopped_after} epochs"
    );
    let record = store.run(expected.id().unwrap()).unwrap();
    let checkpoints: Vec<_> = record
        .events
        .iter()
        .filter_map(|e| match &e.event {
            RunEvent::Checkpoint { label, epoch, object, .. } if label.starts_with("epoch-") => {
                Some((*epoch, *object))
            }
            _ => None,
        })
        .collect();
    assert_eq!(checkpoints.len() as u64, stopped_after);
    for (epoch, object) in checkpoints {
        let mut fresh =
            stopping(&data, 1).with(Checkpoint::every_epochs(1)).store(&store).build().unwrap();
        fresh.load_checkpoint(&store.get_object(&object).unwrap()).unwrap();
        assert_eq!(fresh.counters().epoch, epoch);
        if epoch < stopped_after {
            let run = fresh.fit(Epochs(50 - epoch)).unwrap();
            assert_eq!(weight_bits(&run), weight_bits(&expected), "from epoch {epoch}");
            assert_eq!(run.stopped_because(), expected.stopped_because());
            assert_eq!(run.history(), &expected.history()[epoch as usize..]);
            assert_eq!(fresh.state_hash().unwrap(), uninterrupted.state_hash().unwrap());
        }
    }
}

/// Asserts that `bytes` are refused and that the trainer is then as it was; returns the message.
fn refused(trainer: &mut Trainer, bytes: &[u8]) -> String {
    let before = trainer.state_hash().unwrap();
    let message = trainer.load_checkpoint(bytes).unwrap_err().to_string();
    assert_eq!(trainer.state_hash().unwrap(), before, "after {message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn damaged_bytes_are_refused() {
    let data = clouds();
    let mut writer = stopping(&data, 1).build().unwrap();
    writer.fit(Epochs(2)).unwrap();
    let bytes = writer.checkpoint().unwrap();
    let mut trainer = stopping(&data, 1).build().unwrap();
    for length in (0..bytes.len()).step_by(7) {
        refused(&mut trainer, &bytes[..length]);
    }
    refused(&mut trainer, &[bytes.as_slice(), &[0]].concat());
    for at in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        refused(&mut trainer, &damaged);
    }
    trainer.load_checkpoint(&bytes).unwrap();
}

#[test]
fn what_another_trainer_wrote_is_refused() {
    type Other = (Linear<4, 9>, ReLU, Linear<9, 3>);
    type SameShapes = (Linear<4, 8>, Tanh, Linear<8, 3>);
    let data = clouds();
    let bytes = |builder: TrainerBuilder| {
        let mut trainer = builder.build().unwrap();
        trainer.fit(Epochs(1)).unwrap();
        trainer.checkpoint().unwrap()
    };
    let mut trainer = stopping(&data, 1).build().unwrap();
    trainer.fit(Epochs(1)).unwrap();

    let message = refused(&mut trainer, &bytes(stopping(&data, 2)));
    assert_eq!(message, "load the saved state: it has seed 2, this trainer 1");

    let like = |trainer: TrainerBuilder| {
        trainer.batch_size(16).quiet().with(LrSchedule::constant(0.03)).with(Clip::global_norm(1.0))
    };
    let early = || EarlyStopping::on("val_loss").patience(4).restore_best();
    let message = refused(
        &mut trainer,
        &bytes(like(Trainer::classifier(&data, Network::of::<Other>()).seed(1)).with(early())),
    );
    assert!(
        message.contains("the 1. is 0.weight [9, 4], and here it is 0.weight [8, 4]"),
        "{message}"
    );
    let message = refused(
        &mut trainer,
        &bytes(like(Trainer::classifier(&data, Network::of::<SameShapes>()).seed(1)).with(early())),
    );
    assert!(message.contains("Tanh") && message.contains("Relu"), "{message}");

    let message = refused(&mut trainer, &bytes(stopping(&data, 1).optimizer(Sgd::default())));
    assert!(message.contains("optimiser"), "{message}");

    let message = refused(&mut trainer, &bytes(builder(&data, 1)));
    assert!(message.ends_with("here and not saved: Clip, EarlyStopping"), "{message}");
    let message = refused(&mut trainer, &bytes(stopping(&data, 1).with(NanGuard::new())));
    assert!(message.ends_with("saved and not here: NanGuard"), "{message}");
    let message = refused(&mut trainer, &bytes(like(builder(&data, 1)).with(NanGuard::new())));
    assert!(
        message.contains("saved and not here: NanGuard; here and not saved: Early"),
        "{message}"
    );
}

#[test]
fn checkpoints_of_earlier_versions_are_read() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let trainer = || {
        let stopping = EarlyStopping::on("val_loss").patience(4).restore_best();
        let trainer = builder(&data, 5).with(LrSchedule::constant(0.03)).with(stopping);
        trainer.with(Checkpoint::last()).store(&store).build().unwrap()
    };
    let mut same = trainer();
    same.fit(Epochs(2)).unwrap();
    // Before groups of tensors had momenta and rates of their own.
    let mut third = trainer();
    third.load_checkpoint(include_bytes!("fixtures/checkpoint-3.bin")).unwrap();
    assert_eq!(third.state_hash().unwrap(), same.state_hash().unwrap());

    // Before checkpoints were safetensors files.
    let mut trainer = trainer();
    let bytes = include_bytes!("fixtures/checkpoint-1.bin");
    trainer.load_checkpoint(bytes).unwrap();
    assert_eq!(trainer.state_hash().unwrap(), same.state_hash().unwrap());
    let message = trainer.resume_from(bytes).unwrap_err().to_string();
    assert!(message.contains("between two fits"), "{message}");
}

#[test]
fn each_checkpoint_is_told_of_when_it_is_on_disk_and_before_the_fit_ends() {
    use std::sync::{Arc, Mutex};

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let told = Arc::new(Mutex::new(Vec::<String>::new()));
    let (write, end) = (Arc::clone(&told), Arc::clone(&told));
    let build = || {
        builder(&data, 1)
            .store(&store)
            .with(Checkpoint::every_steps(4).keep(2))
            .with(Checkpoint::best("val_loss"))
    };
    let look = on_checkpoint_written(move |written| {
        let bytes = written.run.store().get_object(&written.object)?;
        assert_eq!(bytes.len() as u64, written.bytes);
        let metric = written.metric.map(|metric| metric.name.to_string());
        let text = format!("{} {} {metric:?}", written.label, written.counters.updates_applied);
        write.lock().unwrap().push(text);
        Ok(())
    });
    let ends = on_fit_end(move |_| {
        end.lock().unwrap().push("end".to_owned());
        Ok(())
    });
    let run = build().with(look).with(ends).build().unwrap().fit(Epochs(2)).unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.last().unwrap(), "end");
    for written in ["step-000004 4 None", "step-000008 8 None", "best 5 Some(\"val_loss\")"] {
        assert!(told.iter().any(|told| told == written), "{written}: {told:?}");
    }
    // What the run still has, but for the weights that the fit ends with, was told in that order.
    let record = store.run(run.id().unwrap()).unwrap();
    let recorded = record.events.iter().filter_map(|event| match &event.event {
        RunEvent::Checkpoint { label, step, metric, .. } => {
            let metric = metric.as_ref().map(|metric| metric.name.to_string());
            Some(format!("{label} {step} {metric:?}"))
        }
        _ => None,
    });
    let mut recorded: Vec<String> = recorded.collect();
    assert_eq!(recorded.pop().unwrap(), "final 10 None");
    let mut rest = told.iter();
    assert!(recorded.iter().all(|kept| rest.any(|told| told == kept)), "{recorded:?}: {told:?}");

    let fails = on_checkpoint_written(|written| {
        Err(trainbook::callbacks::CallbackError::custom(format!("no room for {}", written.label)))
    });
    let error = build().with(fails).build().unwrap().fit(Epochs(2)).unwrap_err().to_string();
    assert!(error.contains("run callback on_checkpoint_written: no room for"), "{error}");
}
