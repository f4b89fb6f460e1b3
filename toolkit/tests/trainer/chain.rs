//! Runs that go on with others: which may, and what they say of it.

use trainbook::callbacks::{CallbackError, StopKind};
use trainbook::data::{Batch, Batches, Loader};
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;
use trainbook::prelude::*;
use trainbook::store::RunDiff;
use trainbook::trainer::{Length, TrainerBuilder};

use crate::support::{Mlp, all_points, builder, clouds, weight_bits};

#[test]
fn what_is_no_interrupted_fit_of_this_trainer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let plain = || builder(&data, 1).with(LrSchedule::one_cycle(0.02)).store(&store);
    let stop = || {
        on_step_end(|s| {
            Ok(if s.counters.updates_applied == 7 { Flow::stop("") } else { Flow::Continue })
        })
    };
    let finished = plain().build().unwrap().fit(Epochs(1)).unwrap();
    let stopped = plain().with(stop()).build().unwrap().fit(Epochs(3)).unwrap();
    let run = |run: &Run| store.run(run.id().unwrap()).unwrap();
    let refused = |trainer: TrainerBuilder, of: &Run| {
        let mut trainer = trainer.build().unwrap();
        let before = (trainer.state_hash().unwrap(), store.runs().unwrap().len());
        let message = trainer.resume(&run(of)).unwrap_err().to_string();
        let after = (trainer.state_hash().unwrap(), store.runs().unwrap().len());
        assert_eq!(after, before, "{message}");
        assert!(message.starts_with("load the saved state: "), "{message}");
        message
    };
    let message = refused(plain(), &finished);
    assert!(message.contains("has finished"), "{message}");
    let message = refused(plain().batch_size(8), &stopped);
    assert!(message.contains("batch_size was 16, and is 8 here"), "{message}");
    let message = refused(plain().optimizer(Sgd::default()), &stopped);
    assert!(message.contains("optimizer"), "{message}");
    let message = refused(plain().with(Clip::value(1.0)), &stopped);
    assert!(message.contains("callback Clip is new here"), "{message}");
    let message = refused(builder(&data, 1).store(&store), &stopped);
    assert!(message.contains("callback LrSchedule is missing here"), "{message}");
    let message =
        refused(builder(&data, 1).with(LrSchedule::one_cycle(0.01)).store(&store), &stopped);
    assert!(
        message.contains("LrSchedule.curve.one_cycle.max_lr was 0.02, and is 0.01 here"),
        "{message}"
    );
    let message =
        refused(builder(&data, 2).with(LrSchedule::one_cycle(0.02)).store(&store), &stopped);
    assert!(message.contains("seed was 1, and is 2 here"), "{message}");
    let other = clouds().split(Split::stratified(0.6, 0.2, 0.2), Seed(5)).unwrap();
    let message =
        refused(builder(&other, 1).with(LrSchedule::one_cycle(0.02)).store(&store), &stopped);
    assert!(message.contains("other data"), "{message}");
    let wide = Sequential::new().linear(9).relu().linear(3);
    let wide = Trainer::classifier(&data, wide).seed(1).batch_size(16).quiet().store(&store);
    let message = refused(wide.with(LrSchedule::one_cycle(0.02)), &stopped);
    assert!(
        message.contains("the 1. is 0.weight [8, 4], and here it is 0.weight [9, 4]"),
        "{message}"
    );

    // Of another trainer is another seed, too, unless nobody has asked for one.
    let unseeded = || {
        let net = Network::of::<Mlp>();
        let trainer = Trainer::classifier(&data, net).batch_size(16).quiet();
        trainer.with(LrSchedule::one_cycle(0.02)).build().unwrap()
    };
    let whole = builder(&data, 1).with(LrSchedule::one_cycle(0.02)).build();
    let expected = whole.unwrap().fit(Epochs(3)).unwrap();
    let resumed = unseeded().resume(&run(&stopped)).unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&expected));
    let mut other = unseeded();
    let before = other.state_hash().unwrap();
    let broken = std::fs::read(folder.path().join("format")).unwrap();
    assert!(other.resume_from(&broken).is_err());
    assert_eq!(other.state_hash().unwrap(), before);

    // Taken between two fits.
    let mut trainer = plain().build().unwrap();
    let between = trainer.checkpoint().unwrap();
    assert!(trainer.resume_from(&between).unwrap_err().to_string().contains("between two fits"));
    // A run that broke before its first checkpoint has none.
    let fails = on_step_end(|_| Err(CallbackError::custom("broken")));
    plain().with(fails).build().unwrap().fit(Epochs(1)).unwrap_err();
    let failed = store.query("state = 'failed'").unwrap()[0].id.to_string();
    let message = trainer.resume(&store.run(&failed).unwrap()).unwrap_err().to_string();
    assert!(message.contains("has no checkpoint to go on from"), "{message}");
    // A run that ended by itself is none that was interrupted, whatever it is called.
    let early = EarlyStopping::on("val_loss").patience(1).min_delta(100.0);
    let early = || plain().with(early.clone());
    let ended = early().build().unwrap().fit(Epochs(9)).unwrap();
    assert_eq!(ended.stopped_because().kind, StopKind::EarlyStopping);
    assert!(early().build().unwrap().resume_last().is_err());
    // The newest that fits is taken, once.
    let resumed = trainer.resume_last().unwrap();
    let record = run(&resumed);
    assert_eq!(record.load_on(&data, &Kinds::standard()).unwrap().history(), resumed.history());
    let parent = record.summary.parent.clone().unwrap();
    assert_eq!((&parent.run, parent.step, parent.resumed), (stopped.id().unwrap(), 7, true));
    let message = plain().build().unwrap().resume_last().unwrap_err().to_string();
    assert!(message.contains("no run of the store was interrupted"), "{message}");
}

/// An epoch that one callback ends is over for the resumed fit, too, where another stops at the same
/// step; and the steps that were asked for come, however many epochs they take.
#[test]
fn an_epoch_that_was_ended_stays_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let short = || {
        on_step_end(|step| {
            let ends = step.counters.batches_seen % 3 == 0;
            Ok(if ends { Flow::EndEpoch } else { Flow::Continue })
        })
    };
    for length in [Length::from(Steps(14)), Length::from(Epochs(5))] {
        let trainer = || builder(&data, 1).with(LrSchedule::one_cycle(0.02)).with(short());
        let whole = trainer().store(&store).build().unwrap().fit(length).unwrap();
        for k in 1..14 {
            let stop = on_step_end(move |step| {
                let stops = step.counters.updates_applied == k;
                Ok(if stops { Flow::stop("enough") } else { Flow::Continue })
            });
            let stopped = trainer().with(stop).store(&store).build().unwrap().fit(length).unwrap();
            let stopped = store.run(stopped.id().unwrap()).unwrap();
            let mut resumed = trainer().store(&store).build().unwrap();
            let resumed = resumed.resume(&stopped).unwrap();
            assert_eq!(weight_bits(&resumed), weight_bits(&whole), "{length:?}, step {k}");
            assert_eq!(
                all_points(&store, resumed.id().unwrap()),
                all_points(&store, whole.id().unwrap())
            );
        }
    }
}

/// A resumed run that breaks before it has kept anything is where it began.
#[test]
fn a_resumed_run_that_broke_at_once_goes_on_from_where_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let trainer = || builder(&data, 1).with(LrSchedule::one_cycle(0.02)).store(&store);
    let whole = trainer().build().unwrap().fit(Epochs(3)).unwrap();
    let stop = Budget::steps(7);
    trainer().with(stop).build().unwrap().fit(Epochs(3)).unwrap();
    for _ in 0..2 {
        let breaks = on_step_end(|_| Err(CallbackError::custom("broken")));
        let error = trainer().with(breaks).build().unwrap().resume_last().unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
    }
    let resumed = trainer().build().unwrap().resume_last().unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&whole));
    let expected = all_points(&store, whole.id().unwrap());
    assert_eq!(all_points(&store, resumed.id().unwrap()), expected);
    let record = store.run(resumed.id().unwrap().as_str()).unwrap();
    assert_eq!(store.past(&record).parents.len(), 3);
}

#[test]
fn a_run_on_weights_from_a_file_is_repeated_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let path = folder.path().join("weights.safetensors");
    builder(&data, 2).build().unwrap().fit(Epochs(1)).unwrap().save_weights(&path).unwrap();
    let mut trainer = builder(&data, 1).store(&store).build().unwrap();
    assert_eq!(trainer.load_weights(&path).unwrap().loaded.len(), 4);
    let run = trainer.fit(Epochs(1)).unwrap();
    let stored = store.run(run.id().unwrap()).unwrap();
    assert_eq!(stored.summary.parent, None);
    let again = stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet().build();
    assert_eq!(weight_bits(&again.unwrap().fit(Epochs(1)).unwrap()), weight_bits(&run));
    // Trying out leaves the origin of what is fitted next alone.
    trainer.dev_run(1).unwrap();
    let next = trainer.fit(Epochs(1)).unwrap();
    let next = store.run(next.id().unwrap()).unwrap();
    assert_eq!(next.summary.parent.as_ref().map(|parent| &parent.run), run.id());
}

#[test]
fn a_second_fit_names_the_first_and_is_repeated_from_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let csv = folder.path().join("clouds.csv");
    let mut text = String::from("a,b,c,d,class\n");
    let data = clouds();
    let mut loader = Loader::new(&data, Part::Train, 100, None);
    let mut batch = Batch::default();
    loader.start(0);
    assert!(loader.next(&mut batch).unwrap());
    let Targets::Classes(classes) = &batch.targets else { panic!("classes") };
    for (row, class) in batch.input.floats().chunks(4).zip(classes) {
        let row: Vec<String> = row.iter().map(ToString::to_string).collect();
        text += &format!("{},{class}\n", row.join(","));
    }
    std::fs::write(&csv, text).unwrap();
    let data = Dataset::csv(&csv).unwrap().target(Column::last()).unwrap();
    let data = data.split(Split::stratified(0.7, 0.2, 0.1), Seed(1)).unwrap();
    let stopping = EarlyStopping::on("val_loss").patience(9).restore_best();
    let mut trainer = builder(&data, 1)
        .with(LrSchedule::one_cycle(0.02))
        .with(stopping)
        .store(&store)
        .name("twice")
        .tag("kind", "chain")
        .build()
        .unwrap();
    let first = trainer.fit(Epochs(2)).unwrap();
    let second = trainer.fit(Steps(7)).unwrap();
    let record = store.run(second.id().unwrap()).unwrap();
    let parent = record.summary.parent.clone().unwrap();
    assert_eq!((&parent.run, parent.resumed), (first.id().unwrap(), false));
    let diff = RunDiff::between(&store.run(first.id().unwrap()).unwrap(), &record);
    assert!(diff.causes.iter().any(|cause| cause.path == "parent"), "{diff}");

    // From its record alone, without the program.
    let mut again = record.trainer().unwrap().quiet().store(&store).build().unwrap();
    let repeated = again.fit(Steps(7)).unwrap();
    assert_eq!(weight_bits(&repeated), weight_bits(&second));
    let repeated = store.run(repeated.id().unwrap()).unwrap();
    assert_eq!(repeated.series, record.series);

    // A third one is stopped, and resumed without the program.
    let stop = on_step_end(|step| {
        let stops = step.counters.updates_applied == 16;
        Ok(if stops { Flow::stop("enough") } else { Flow::Continue })
    });
    let expected = trainer.fit(Epochs(3)).unwrap();
    let mut stopped = builder(&data, 1)
        .with(LrSchedule::one_cycle(0.02))
        .with(EarlyStopping::on("val_loss").patience(9).restore_best())
        .with(stop)
        .store(&store)
        .name("stopped")
        .build()
        .unwrap();
    stopped.continue_from(&record).unwrap();
    let stopped = stopped.fit(Epochs(3)).unwrap();
    assert_eq!(stopped.stopped_because().detail, "enough");
    let stopped = store.run(stopped.id().unwrap()).unwrap();
    let resumed = stopped.resume_quietly().unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&expected));
    assert_eq!(
        all_points(&store, resumed.id().unwrap()),
        all_points(&store, expected.id().unwrap())
    );
    let text = store.run(resumed.id().unwrap()).unwrap().view().text;
    let before = format!(
        "resumed run {} at step 16, and before that {}, {}",
        stopped.summary.id,
        second.id().unwrap(),
        first.id().unwrap()
    );
    assert!(text.contains(&before), "{text}");
    let message = match store.run(resumed.id().unwrap()).unwrap().trainer() {
        Ok(_) => panic!("it is no fit from its beginning"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("resume that one to repeat it"), "{message}");
}
