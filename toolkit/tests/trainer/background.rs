//! A fit in the background is the fit, can be watched and stopped, and gives its trainer back.

use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use trainbook::callbacks::{CallbackError, CallbackRecipe, Closure, StopKind};
use trainbook::history::Store;
#[cfg(not(feature = "cuda"))]
use trainbook::history::StoredRun;
use trainbook::prelude::*;
use trainbook::store::{RunEvent, RunState};
use trainbook::trainer::{TrainerBuilder, TrainingState, TrainingStatus};

use crate::support::{BATCHES, all_points, builder, clouds, counts, weight_bits};

/// What a thread and a notebook's variables need.
#[cfg(not(feature = "cuda"))]
const _: () = {
    const fn moves<T: Send + 'static>() {}
    const fn is_shared<T: Send + Sync + 'static>() {}
    moves::<Trainer>();
    moves::<TrainerBuilder>();
    moves::<Run>();
    moves::<Training>();
    moves::<Box<dyn Callback>>();
    moves::<Closure<'static>>();
    is_shared::<TrainingStatus>();
    is_shared::<Dataset>();
    is_shared::<Network>();
    is_shared::<Loss>();
    is_shared::<Store>();
    is_shared::<StoredRun>();
};

/// More than any test waits for.
const MANY: Epochs = Epochs(1_000_000);

/// Lets the fit take a step for each of what is sent, and go freely when the sender is gone. A test
/// that fails meanwhile drops the handle first, which waits for the fit.
fn gate() -> (Sender<()>, Closure<'static>) {
    let (step, may) = channel();
    let wait = on_batch_start(move |_| {
        let _ = may.recv_timeout(Duration::from_secs(60));
        Ok(Flow::Continue)
    });
    (step, wait)
}

fn let_through(step: &Sender<()>, steps: u64) {
    (0..steps).for_each(|_| step.send(()).unwrap());
}

/// The status, as soon as it is so.
fn when_it(training: &Training, is_so: impl Fn(&TrainingStatus) -> bool) -> TrainingStatus {
    let began = Instant::now();
    loop {
        let status = training.status();
        if is_so(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{status}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// With callbacks that have a state, write the rate, the weights and the run.
fn rich(data: &Dataset) -> TrainerBuilder {
    builder(data, 3)
        .accumulate(2)
        .validate_every(Steps(2))
        .with(LrSchedule::one_cycle(0.02))
        .with(WeightAverage::ema(0.9))
        .with(EarlyStopping::on("val_loss").patience(50).restore_best())
        .with(every(2, GradientMonitor::new()))
        .with(Checkpoint::last())
}

#[test]
fn the_same_bits_as_in_the_foreground() {
    let (data, folder) = (clouds(), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    let mut trainer = rich(&data).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(4)).unwrap();
    let training = rich(&data).store(&store).build().unwrap().fit_in_background(Epochs(4));
    let (mut other, other_run) = training.join();
    let other_run = other_run.unwrap();

    assert_eq!(weight_bits(&other_run), weight_bits(&run));
    assert_eq!(other_run.history(), run.history());
    assert_eq!(other_run.stopped_because(), run.stopped_because());
    let points = |run: &Run| all_points(&store, run.id().unwrap());
    assert_eq!(points(&other_run), points(&run));
    let [stored, other_stored] = [&run, &other_run].map(|run| store.run(run).unwrap());
    assert_eq!(other_stored.plan, stored.plan);
    assert_eq!(other_stored.recipe, stored.recipe);
    let hash = |trainer: &Trainer| trainer.state_hash().unwrap();
    assert_eq!(hash(&other), hash(&trainer));
    // And both go on the same way.
    trainer.fit(Epochs(2)).unwrap();
    other.fit(Epochs(2)).unwrap();
    assert_eq!(hash(&other), hash(&trainer));
}

#[test]
fn two_at_once_in_one_store_are_both_right() {
    let (data, folder) = (clouds(), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    // Neither takes its second step before the other has taken its first.
    let both = Arc::new(Barrier::new(2));
    let trainings = [1, 2].map(|seed| {
        let both = Arc::clone(&both);
        let meet = on_step_end(move |step| {
            if step.counters.batches_seen < 4 * BATCHES {
                both.wait();
            }
            Ok(Flow::Continue)
        });
        builder(&data, seed).with(meet).store(&store).build().unwrap().fit_in_background(Epochs(5))
    });
    for (seed, training) in [1, 2].into_iter().zip(trainings) {
        let (trainer, run) = training.join();
        let run = run.unwrap();
        let idle = on_step_end(|_| Ok(Flow::Continue));
        let apart = tempfile::tempdir().unwrap();
        let apart = Store::open(apart.path()).unwrap();
        let mut alone = builder(&data, seed).with(idle).store(&apart).build().unwrap();
        let expected = alone.fit(Epochs(5)).unwrap();
        assert_eq!(trainer.state_hash().unwrap(), alone.state_hash().unwrap());
        let points = all_points(&apart, expected.id().unwrap());
        assert_eq!(all_points(&store, run.id().unwrap()), points);
        assert_eq!(store.run(&run).unwrap().summary.state, RunState::Finished);
    }
    assert_eq!(store.runs().unwrap().len(), 2);
}

#[test]
fn a_stop_ends_it_behind_its_step_and_the_trainer_goes_on() {
    let (data, folder) = (clouds(), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    let (step, wait) = gate();
    let trainer = builder(&data, 3).with(wait).store(&store).build().unwrap();
    let training = trainer.fit_in_background(Epochs(4));
    let_through(&step, 3);
    when_it(&training, |status| status.step == 3);
    training.stop();
    assert_eq!(training.status().state, TrainingState::Stopping);
    assert!(!training.is_finished(), "a stop does not wait");
    drop(step);
    let (mut trainer, run) = training.join();
    let run = run.unwrap();

    // It had begun a fourth.
    assert_eq!(counts(trainer.counters()), [0, 4, 4, 4]);
    assert_eq!(run.stopped_because().kind, StopKind::Interrupted);
    let reason = "interrupted: asked by Training::stop".to_owned();
    let stored = store.run(&run).unwrap();
    assert_eq!(stored.summary.state, RunState::Stopped { reason });

    let resumed = trainer.resume(&stored).unwrap();
    let mut never = builder(&data, 3).build().unwrap();
    let expected = never.fit(Epochs(4)).unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&expected));
    resumed.export(folder.path().join("clouds.onnx")).unwrap();
}

#[test]
fn a_stop_before_the_first_step_trains_nothing_and_one_behind_the_last_changes_nothing() {
    let (start, wait) = channel::<()>();
    let wait = on_fit_start(move |_| {
        let _ = wait.recv();
        Ok(Flow::Continue)
    });
    let training = builder(&clouds(), 3).with(wait).build().unwrap().fit_in_background(Epochs(1));
    training.stop();
    drop(start);
    let (trainer, run) = training.join();
    assert_eq!(run.unwrap().stopped_because().kind, StopKind::Interrupted);
    assert_eq!(trainer.counters().batches_seen, 0);

    let training = trainer.fit_in_background(Epochs(1));
    when_it(&training, |status| status.state == TrainingState::Finished);
    training.stop();
    assert_eq!(training.status().state, TrainingState::Finished);
    assert_eq!(training.join().1.unwrap().stopped_because().kind, StopKind::Completed);
}

#[test]
fn dropping_the_handle_stops_the_fit_and_records_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let training = builder(&clouds(), 3).store(&store).build().unwrap().fit_in_background(MANY);
    let id = when_it(&training, |status| status.step > 0).run.unwrap();
    assert_eq!(store.run(&id).unwrap().summary.state, RunState::Running);
    drop(training);
    // The thread is gone, and not only asked to go.
    let stored = store.run(&id).unwrap();
    let reason = "interrupted: its handle was dropped".to_owned();
    assert_eq!(stored.summary.state, RunState::Stopped { reason });
}

#[test]
fn a_callback_that_panics_is_named_and_the_trainer_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let breaks = on_step_end(|step| {
        assert!(step.counters.batches_seen != 3, "step 3 is not mine");
        Ok(Flow::Continue)
    });
    let trainer = builder(&clouds(), 3).with(breaks.named("picky")).store(&store).build().unwrap();
    let training = trainer.fit_in_background(Epochs(1));
    let status = when_it(&training, |status| matches!(status.state, TrainingState::Failed(_)));
    let (mut trainer, run) = training.join();
    let error = run.unwrap_err();
    assert!(matches!(error, Error::Callback(CallbackError::Panicked { .. })), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("`picky` panicked in step_end: step 3 is not mine"), "{error}");
    assert_eq!(status.state, TrainingState::Failed(error.clone()));
    assert!(status.to_string().contains(&error), "{status}");
    let stored = store.run(status.run.unwrap()).unwrap();
    assert_eq!(stored.summary.state, RunState::Failed { error });
    // It is the trainer that it was, and the next fit has a fourth step.
    assert_eq!(trainer.counters().batches_seen, 3);
    assert_eq!(trainer.fit(Epochs(1)).unwrap().stopped_because().kind, StopKind::Completed);
}

#[test]
fn a_panic_outside_of_every_moment_loses_no_trainer() {
    struct Unwritable;

    impl Callback for Unwritable {
        fn recipe(&self) -> Option<CallbackRecipe> {
            panic!("cannot be written down")
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let trainer = builder(&clouds(), 3).with(Unwritable).store(&store).build().unwrap();
    let state = trainer.state_hash().unwrap();
    let (trainer, run) = trainer.fit_in_background(Epochs(1)).join();
    let error = run.unwrap_err();
    assert_eq!(error.to_string(), "go on training after a panic: cannot be written down");
    assert_eq!(trainer.state_hash().unwrap(), state);
}

#[test]
fn a_store_that_takes_no_run_is_an_error_of_join() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    let store = Store::open(&place).unwrap();
    let trainer = builder(&clouds(), 3).store(&store).build().unwrap();
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "no folder").unwrap();
    let state = trainer.state_hash().unwrap();
    let training = trainer.fit_in_background(Epochs(1));
    when_it(&training, |status| matches!(status.state, TrainingState::Failed(_)));
    let (trainer, run) = training.join();
    let error = run.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert_eq!(trainer.state_hash().unwrap(), state);
}

#[test]
fn without_a_store_it_shows_where_it_is() {
    let (step, wait) = gate();
    let training = builder(&clouds(), 3).with(wait).build().unwrap().fit_in_background(Epochs(4));
    let status = when_it(&training, |status| status.epochs > 0);
    assert_eq!((status.epoch, status.epochs, status.step), (0, 4, 0));
    assert_eq!((status.batches_per_epoch, &status.run), (BATCHES, &None));
    assert!(!training.plot().html.contains("<img"), "there is no point yet");

    let_through(&step, BATCHES);
    let status = when_it(&training, |status| status.epoch == 1);
    assert_eq!((status.step, &status.state), (BATCHES, &TrainingState::Running));
    assert!(status.metric("loss").is_some() && status.metric("nothing").is_none());
    let accuracy = status.metric("val_accuracy").unwrap();
    let text = training.to_string();
    let begins = "a fit that is not recorded, running · 1 of 4 epochs, 5 steps · ";
    assert!(text.starts_with(begins) && text.contains("val_loss"), "{text}");
    let plot = training.plot();
    assert!(plot.html.contains("<img") && plot.text.starts_with(begins), "{}", plot.text);
    assert!(!training.is_finished());

    drop(step);
    let status = when_it(&training, |status| status.state == TrainingState::Finished);
    assert!(training.is_finished());
    assert_eq!((status.epoch, status.step), (4, 4 * BATCHES));
    assert_ne!(training.plot(), plot);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(training.status(), status, "time stands still behind the end");
    let (_, run) = training.join();
    let run = run.unwrap();
    let [first, .., last] = run.history() else { panic!("{run:?}") };
    let value = |row: &trainbook::trainer::EpochRow, name: &str| {
        row.metrics.iter().find(|metric| metric.name == name).unwrap().value
    };
    assert_eq!(value(first, "val_accuracy"), accuracy);
    assert_eq!(Some(value(last, "val_loss")), status.metric("val_loss"));
}

#[test]
fn with_a_store_its_curves_are_those_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (step, wait) = gate();
    let trainer = builder(&clouds(), 3).with(wait).store(&store).build().unwrap();
    let training = trainer.fit_in_background(Epochs(2));
    let_through(&step, BATCHES);
    let id = when_it(&training, |status| status.epoch == 1).run.unwrap();
    assert!(training.to_string().starts_with(&format!("run {id} running · 1 of 2 epochs")));
    let heading = format!("run {id} running");
    assert!(training.plot().text.starts_with(&heading), "{}", training.plot().text);
    drop(step);
    when_it(&training, |status| status.state == TrainingState::Finished);
    let plot = training.plot();
    let (_, run) = training.join();
    assert_eq!(plot, run.unwrap().view().unwrap());
    assert!(plot.html.contains("<img"));
}

#[test]
fn warnings_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let warns = on_step_end(|step| {
        step.log.warn(format!("step {} is hot", step.counters.batches_seen));
        Ok(Flow::Continue)
    });
    let trainer = builder(&clouds(), 3).with(warns).store(&store).build().unwrap();
    let training = trainer.fit_in_background(Steps(120));
    let status = when_it(&training, |status| status.state == TrainingState::Finished);
    assert_eq!((status.warnings.len(), status.more_warnings), (100, 20));
    assert_eq!(status.warnings[0], "step 1 is hot");
    let text = status.to_string();
    assert!(text.contains("\nwarning: step 1 is hot\n"), "{text}");
    assert!(text.ends_with("and 115 more warnings"), "{text}");
    let stored = store.run(status.run.unwrap()).unwrap();
    let is_warning = |event: &RunEvent| matches!(event, RunEvent::Warning { .. });
    assert_eq!(stored.events.iter().filter(|event| is_warning(&event.event)).count(), 120);
}

const TASK: &str = "TRAINBOOK_TEST_BACKGROUND";

/// A process of its own that does this.
fn other_process(task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["background::child", "--exact", "--nocapture"]).env(TASK, task);
    command
}

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let data = clouds();
    let loud = Trainer::classifier(&data, Sequential::new().linear(3)).seed(3);
    match task.as_str() {
        "both" => {
            let warns = on_epoch_end(|epoch| {
                epoch.log.warn("hot");
                Ok(Flow::Continue)
            });
            let trainer = loud.with(warns).build().unwrap();
            let (mut trainer, run) = trainer.fit_in_background(Epochs(1)).join();
            run.unwrap();
            println!("in the foreground");
            trainer.fit(Epochs(1)).unwrap();
        }
        "join" => {
            let training = loud.build().unwrap().fit_in_background(MANY);
            when_it(&training, |status| status.step > 0);
            let later = format!("sleep 0.3; kill -INT {}", std::process::id());
            let interrupt = Command::new("sh").args(["-c", &later]).spawn();
            let (trainer, run) = training.join();
            interrupt.unwrap().wait().unwrap();
            let reason = run.unwrap().stopped_because().to_string();
            println!("{reason} after {} epochs", trainer.counters().epoch);
        }
        task => unreachable!("{task}"),
    }
}

#[test]
fn it_prints_nothing_while_it_runs_and_its_warnings_when_it_is_joined() {
    let output = other_process("both").output().unwrap();
    assert!(output.status.success());
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr));
    let (before, behind) = out.split_once("in the foreground\n").unwrap();
    let rows = |text: &str| text.lines().filter(|line| line.contains("train_loss")).count();
    assert_eq!((rows(before), rows(behind)), (0, 1), "{out}");
    assert!(!before.contains("ended after") && !before.contains("hot"), "{before}");
    assert!(behind.contains("ended after") && behind.contains("warning: hot"), "{behind}");
    assert_eq!(err.unwrap().matches("warning: hot\n").count(), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_wait_and_the_fit() {
    let output = other_process("join").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("interrupted after "), "{out}");
}
