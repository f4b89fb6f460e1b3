//! A fit that is stopped or killed anywhere goes on, in another process, to the same end as one that
//! never was.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use trainbook::callbacks::schedule::OneCycle;
use trainbook::callbacks::{CallbackError, CallbackState, EpochStart, FitStart, StepEnd};
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;
use trainbook::prelude::*;
use trainbook::store::{RunEvent, RunState};
use trainbook::trainer::TrainerBuilder;

use crate::support::{Points, all_points, builder, clouds, weight_bits};

/// The clouds, as series that can be augmented.
fn series() -> Dataset {
    clouds().series(1, 4).unwrap()
}

/// A callback of the user's own, with a state: a mean of the fit's losses, logged at every step, and
/// how many epochs have begun.
#[derive(Default, Serialize, Deserialize)]
struct RunningMean {
    sum: f64,
    steps: u64,
    begun: u64,
}

impl Callback for RunningMean {
    fn fit_start(&mut self, _: &FitStart<'_>) -> Reply {
        *self = Self::default();
        Ok(Flow::Continue)
    }

    fn epoch_start(&mut self, epoch: &EpochStart<'_>) -> Reply {
        self.begun += 1;
        epoch.log.push("begun", self.begun as f64);
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        self.sum += f64::from(step.loss());
        self.steps += 1;
        step.log.push("running_mean", self.sum / self.steps as f64);
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("RunningMean", self)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        *self = state.get("RunningMean")?;
        Ok(())
    }
}

/// With a bit of everything: dropout and batch normalisation, augmentation, an average of the
/// weights, two batches an update of which an epoch has five, one-cycle with momentum, a group that
/// thaws in the middle and has a schedule of its own, validation in the middle of epochs, early
/// stopping.
fn everything(data: &Dataset) -> TrainerBuilder {
    let net = Sequential::new().flatten().linear(12).batch_norm().relu().dropout(0.3).linear(3);
    Trainer::classifier(data, net)
        .seed(3)
        .batch_size(16)
        .quiet()
        .accumulate(2)
        .validate_every(Steps(2))
        .augment(Augment::series().jitter(0.1))
        .parameter_groups([ParameterGroup::new("1").frozen_until(25).rate(0.5)])
        .with(LrSchedule::of(OneCycle::to(0.02).cycle_momentum(0.85, 0.95)))
        .with(LrSchedule::linear(0.02).for_group("1"))
        .with(Clip::global_norm(0.5))
        .with(every(2, GradientMonitor::new()))
        .with(WeightAverage::ema(0.9))
        .with(EarlyStopping::on("val_loss").patience(15).restore_best())
        .with(NanGuard::new().skip_up_to(2))
        .with(RunningMean::default())
}

const EPOCHS: u64 = 20;
/// 70 rows in batches of 16 are five, so three updates an epoch.
const UPDATES: u64 = 60;

/// What a fit comes to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    weights: Vec<u32>,
    reason: String,
    points: Points,
    state: String,
}

fn outcome(store: &Store, trainer: &Trainer, run: &Run) -> Outcome {
    Outcome {
        weights: weight_bits(run),
        reason: run.stopped_because().to_string(),
        points: all_points(store, run.id().unwrap()),
        state: trainer.state_hash().unwrap().to_hex().to_string(),
    }
}

fn uninterrupted(store: &Store) -> Outcome {
    let mut trainer = everything(&series()).store(store).build().unwrap();
    let run = trainer.fit(Epochs(EPOCHS)).unwrap();
    assert_eq!(trainer.counters().updates_applied, UPDATES, "{}", run.stopped_because());
    outcome(store, &trainer, &run)
}

const TASK: &str = "TRAINBOOK_TEST_TASK";
const FOLDER: &str = "TRAINBOOK_TEST_FOLDER";

/// A process of its own with something to do in this folder.
fn other_process(task: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["interrupted::child", "--exact", "--nocapture"])
        .env(TASK, task)
        .env(FOLDER, folder)
        .stdout(Stdio::null());
    command
}

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let (Ok(task), Some(folder)) = (std::env::var(TASK), std::env::var_os(FOLDER)) else { return };
    let folder = Path::new(&folder);
    match task.as_str() {
        "resume all" => resume_all(folder),
        "go on" => go_on(folder),
        "train on" => train_on(folder),
        "sit" => sit(folder),
        task => unreachable!("{task}"),
    }
}

#[test]
fn a_fit_that_is_stopped_behind_any_step_goes_on_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = series();
    for k in 1..UPDATES {
        let stop = on_step_end(move |step| {
            Ok(if step.counters.updates_applied == k {
                Flow::stop("enough")
            } else {
                Flow::Continue
            })
        });
        let mut trainer = everything(&data).with(stop).store(&store).name(k.to_string()).build();
        let run = trainer.as_mut().unwrap().fit(Epochs(EPOCHS)).unwrap();
        assert_eq!(run.stopped_because().detail, "enough");
    }
    let status = other_process("resume all", folder.path()).status().unwrap();
    assert!(status.success());

    let apart = tempfile::tempdir().unwrap();
    let expected = uninterrupted(&Store::open(apart.path()).unwrap());
    assert!(expected.points["begun"].len() as u64 == EPOCHS, "{:?}", expected.points["begun"]);
    for k in 1..UPDATES {
        let json = std::fs::read(folder.path().join(format!("{k}.json"))).unwrap();
        let resumed: Outcome = serde_json::from_slice(&json).unwrap();
        assert_eq!(resumed.points, expected.points, "stopped behind step {k}");
        assert_eq!(resumed, expected, "stopped behind step {k}");
    }
}

fn resume_all(folder: &Path) {
    let store = Store::open(folder).unwrap();
    let data = series();
    for k in 1..UPDATES {
        let id = store.query(&format!("name = '{k}'")).unwrap()[0].id.to_string();
        let mut trainer = everything(&data).store(&store).build().unwrap();
        let run = trainer.resume(&store.run(&id).unwrap()).unwrap();
        let json = serde_json::to_vec(&outcome(&store, &trainer, &run)).unwrap();
        std::fs::write(folder.join(format!("{k}.json")), json).unwrap();
    }
}

#[test]
fn a_fit_that_is_killed_goes_on_from_its_newest_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut draws = trainbook::random::Stream::new(Seed(1), "kill").at(0, 0);
    let (mut crashed, mut runs) = (0, 0);
    // Until it is through: a process is killed after a while, and the next goes on with what it left.
    for kill in 0..50 {
        let mut child = other_process("go on", folder.path()).spawn().unwrap();
        // Every second one from when its run is there: where the machine is busy, that takes long.
        while kill % 2 == 1
            && store.runs().unwrap().len() == runs
            && child.try_wait().unwrap().is_none()
        {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(30 + draws.below(120)));
        child.kill().unwrap();
        child.wait().unwrap();
        let all = store.runs().unwrap();
        crashed += all.iter().filter(|run| run.state == RunState::Crashed).count();
        runs = all.len();
        if all.first().is_some_and(|run| run.state == RunState::Finished) {
            break;
        }
    }
    assert!(crashed > 0 && runs > 1, "nothing was interrupted");
    let status = other_process("go on", folder.path()).status().unwrap();
    assert!(status.success());
    let apart = tempfile::tempdir().unwrap();
    let expected = uninterrupted(&Store::open(apart.path()).unwrap());
    let finished = store.query("state = 'finished'").unwrap();
    let run = store.run(finished[0].id.as_str()).unwrap();
    assert!(!store.past(&run).parents.is_empty());
    assert_eq!(all_points(&store, &run.summary.id), expected.points);
    let weights = run.load_on(&series(), &Kinds::standard()).unwrap();
    assert_eq!(weight_bits(&weights), expected.weights);
}

fn go_on(folder: &Path) {
    let store = Store::open(folder).unwrap();
    if store.query("state = 'finished'").is_ok_and(|runs| !runs.is_empty()) {
        return;
    }
    // Slow enough that there is something to kill.
    let slow = on_step_end(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        Ok(Flow::Continue)
    });
    let kept = Checkpoint::every_steps(2);
    let mut trainer = everything(&series()).with(kept).with(slow).store(&store).build().unwrap();
    // What has kept a checkpoint, itself or in what it went on with, can be gone on with.
    let runs = store.runs().unwrap();
    let has_kept = |run: &trainbook::store::RunSummary| {
        let events = store.run(run.id.as_str()).unwrap().events.clone();
        events.iter().any(|e| matches!(e.event, RunEvent::Checkpoint { .. }))
            || run.parent.is_some()
    };
    if runs.iter().any(has_kept) {
        trainer.resume_last().unwrap();
    } else {
        trainer.fit(Epochs(EPOCHS)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_behind_the_step_and_a_second_one_ends_the_program() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let wait_for = |what: &str| {
        let mark = folder.path().join(what);
        for _ in 0..3000 {
            if mark.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{what} did not come");
    };
    let mut child = other_process("train on", folder.path()).spawn().unwrap();
    let interrupt = |process: u32| {
        let status = Command::new("kill").args(["-INT", &process.to_string()]).status();
        assert!(status.unwrap().success());
    };
    // One press: the fit ends, and the program has its run.
    wait_for("training 1");
    interrupt(child.id());
    wait_for("stopped 1");
    let run = &store.runs().unwrap()[0];
    assert_eq!(run.state, RunState::Stopped { reason: "interrupted".to_owned() });
    // In a fit that does not come to the end of its step, a second one ends the program.
    wait_for("hanging");
    interrupt(child.id());
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none());
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().signal(), Some(2));

    // Where no fit runs, one is enough.
    let mut child = other_process("sit", folder.path()).spawn().unwrap();
    wait_for("idle");
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

/// Fits, and then does nothing.
fn sit(folder: &Path) {
    builder(&clouds(), 1).build().unwrap().fit(Epochs(1)).unwrap();
    std::fs::write(folder.join("idle"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(100));
}

/// Fits for ever, and when that was stopped, hangs in a step.
fn train_on(folder: &Path) {
    let data = clouds();
    let store = Store::open(folder).unwrap();
    let started = folder.join("training 1");
    let slow = on_step_end(move |_| {
        std::fs::write(&started, "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
        Ok(Flow::Continue)
    });
    let mut trainer = builder(&data, 1).with(slow).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(1_000_000)).unwrap();
    assert_eq!(run.stopped_because().to_string(), "interrupted");
    run.evaluate(Part::Test).unwrap();
    std::fs::write(folder.join("stopped 1"), "").unwrap();
    let hanging = folder.join("hanging");
    let hangs = on_step_end(move |_| {
        std::fs::write(&hanging, "").unwrap();
        std::thread::sleep(std::time::Duration::from_secs(100));
        Ok(Flow::Continue)
    });
    builder(&data, 1).with(hangs).build().unwrap().fit(Epochs(1)).unwrap();
}

#[test]
fn a_fit_stops_where_it_is_asked_to_through_the_store_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let expected = uninterrupted(&store);
    let asker = store.clone();
    let stop = on_step_end(move |step| {
        if step.counters.updates_attempted == 7 {
            let [run] = &asker.query("state = 'running'").failed_to("look")?[..] else {
                return Err("one run is being recorded".into());
            };
            asker.request_stop(run.id.as_str()).failed_to("ask")?;
            // It is looked for four times a second.
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        Ok(Flow::Continue)
    });
    let mut trainer = everything(&series()).with(stop).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(EPOCHS)).unwrap();
    assert_eq!(run.stopped_because().to_string(), "interrupted: asked through the store");
    assert_eq!(trainer.counters().updates_attempted, 7);
    let stored = store.run(run.id().unwrap()).unwrap();
    assert!(store.request_stop(stored.summary.id.as_str()).is_err());
    let mut next = everything(&series()).store(&store).build().unwrap();
    let resumed = next.resume(&stored).unwrap();
    assert_eq!(outcome(&store, &next, &resumed).weights, expected.weights);
}
