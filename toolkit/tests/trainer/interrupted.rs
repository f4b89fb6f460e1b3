//! A fit that is stopped or killed anywhere goes on, in another process, to the same end as one that
//! never was.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use trainbook::callbacks::{CallbackState, EpochStart, FitStart, StepEnd};
use trainbook::data::Batches;
use trainbook::history::Store;
use trainbook::nn::layer::Kinds;
use trainbook::prelude::*;
use trainbook::store::{RunEvent, RunState};
use trainbook::trainer::{Length, TrainerBuilder};

use crate::support::{builder, clouds, weight_bits};

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

    fn save(&self) -> Result<CallbackState, trainbook::callbacks::CallbackError> {
        CallbackState::of("RunningMean", self)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), trainbook::callbacks::CallbackError> {
        *self = state.get("RunningMean")?;
        Ok(())
    }
}

/// With a bit of everything: dropout and batch normalisation, augmentation, an average of the
/// weights, two batches an update of which an epoch has five, one-cycle, early stopping.
fn everything(data: &Dataset) -> TrainerBuilder {
    let net = Sequential::new().flatten().linear(12).batch_norm().relu().dropout(0.3).linear(3);
    Trainer::classifier(data, net)
        .seed(3)
        .batch_size(16)
        .quiet()
        .accumulate(2)
        .augment(Augment::series().jitter(0.1))
        .with(LrSchedule::one_cycle(0.02))
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

/// Everything that a run has recorded but for times: every point of every metric.
type Points = BTreeMap<String, Vec<(u64, u64)>>;

fn points(series: &BTreeMap<trainbook::store::Name, Vec<(u64, f64)>>) -> Points {
    series
        .iter()
        .filter(|(name, _)| !name.contains("seconds"))
        .map(|(name, points)| {
            (name.to_string(), points.iter().map(|(step, v)| (*step, v.to_bits())).collect())
        })
        .collect()
}

/// The points of a run and of those with which it went on.
fn all_points(store: &Store, run: &Run) -> Points {
    let record = store.run(&run.id().unwrap().to_string()).unwrap();
    let mut all = store.past(&record).series;
    for (name, own) in &record.series {
        all.entry(name.clone()).or_default().extend(own);
    }
    points(&all)
}

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
        points: all_points(store, run),
        state: trainer.state_hash().unwrap().to_hex().to_string(),
    }
}

fn uninterrupted(store: &Store) -> Outcome {
    let mut trainer = everything(&series()).store(store).build().unwrap();
    let run = trainer.fit(Epochs(EPOCHS)).unwrap();
    assert_eq!(trainer.counters().updates_applied, UPDATES, "{}", run.stopped_because());
    outcome(store, &trainer, &run)
}

/// Runs a test of this file in a process of its own.
fn other_process(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([&format!("interrupted::{test}"), "--exact", "--ignored", "--nocapture"])
        .env("TRAINBOOK_TEST_FOLDER", folder)
        .stdout(Stdio::null());
    command
}

fn folder_of_this_process() -> std::path::PathBuf {
    std::env::var_os("TRAINBOOK_TEST_FOLDER").unwrap().into()
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
    let status = other_process("child_resumes_all", folder.path()).status().unwrap();
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

#[test]
#[ignore = "what the test above runs in another process"]
fn child_resumes_all() {
    let folder = folder_of_this_process();
    let store = Store::open(&folder).unwrap();
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
    for _ in 0..50 {
        let mut child = other_process("child_goes_on", folder.path()).spawn().unwrap();
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
    let status = other_process("child_goes_on", folder.path()).status().unwrap();
    assert!(status.success());
    let apart = tempfile::tempdir().unwrap();
    let expected = uninterrupted(&Store::open(apart.path()).unwrap());
    let finished = store.query("state = 'finished'").unwrap();
    let run = store.run(finished[0].id.as_str()).unwrap();
    let mut all = store.past(&run).series;
    for (name, own) in &run.series {
        all.entry(name.clone()).or_default().extend(own);
    }
    assert!(!store.past(&run).parents.is_empty());
    assert_eq!(points(&all), expected.points);
    let weights = run.load_on(&series(), &Kinds::standard()).unwrap();
    assert_eq!(weight_bits(&weights), expected.weights);
}

#[test]
#[ignore = "what the test above runs in other processes"]
fn child_goes_on() {
    let store = Store::open(folder_of_this_process()).unwrap();
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
    let mut child = other_process("child_is_interrupted", folder.path()).spawn().unwrap();
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
    let mut child = other_process("child_is_interrupted", folder.path());
    let mut child = child.env("TRAINBOOK_TEST_IDLE", "1").spawn().unwrap();
    wait_for("idle");
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

#[cfg(unix)]
#[test]
#[ignore = "what the test above runs in another process"]
fn child_is_interrupted() {
    let folder = folder_of_this_process();
    let mark = |what: &str| std::fs::write(folder.join(what), "").unwrap();
    let data = clouds();
    let forever = || std::thread::sleep(std::time::Duration::from_secs(100));
    if std::env::var_os("TRAINBOOK_TEST_IDLE").is_some() {
        builder(&data, 1).build().unwrap().fit(Epochs(1)).unwrap();
        mark("idle");
        forever();
    }
    let store = Store::open(&folder).unwrap();
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
    mark("stopped 1");
    let hanging = folder.join("hanging");
    let hangs = on_step_end(move |_| {
        std::fs::write(&hanging, "").unwrap();
        std::thread::sleep(std::time::Duration::from_secs(100));
        Ok(Flow::Continue)
    });
    builder(&data, 1).with(hangs).build().unwrap().fit(Epochs(1)).unwrap();
}

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
    let run = |run: &Run| store.run(&run.id().unwrap().to_string()).unwrap();
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
        let net = Network::of::<crate::support::Mlp>();
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
    let fails = on_step_end(|_| Err(trainbook::callbacks::CallbackError::custom("broken")));
    plain().with(fails).build().unwrap().fit(Epochs(1)).unwrap_err();
    let failed = store.query("state = 'failed'").unwrap()[0].id.to_string();
    let message = trainer.resume(&store.run(&failed).unwrap()).unwrap_err().to_string();
    assert!(message.contains("has no checkpoint to go on from"), "{message}");
    // A run that ended by itself is none that was interrupted, whatever it is called.
    let early = EarlyStopping::on("val_loss").patience(1).min_delta(100.0);
    let early = || plain().with(early.clone());
    let ended = early().build().unwrap().fit(Epochs(9)).unwrap();
    assert_eq!(ended.stopped_because().kind, trainbook::callbacks::StopKind::EarlyStopping);
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
            let stopped = store.run(&stopped.id().unwrap().to_string()).unwrap();
            let mut resumed = trainer().store(&store).build().unwrap();
            let resumed = resumed.resume(&stopped).unwrap();
            assert_eq!(weight_bits(&resumed), weight_bits(&whole), "{length:?}, step {k}");
            assert_eq!(all_points(&store, &resumed), all_points(&store, &whole));
        }
    }
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
    let stored = store.run(&run.id().unwrap().to_string()).unwrap();
    assert_eq!(stored.summary.parent, None);
    let again = stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet().build();
    assert_eq!(weight_bits(&again.unwrap().fit(Epochs(1)).unwrap()), weight_bits(&run));
    // Trying out leaves the origin of what is fitted next alone.
    trainer.dev_run(1).unwrap();
    let next = trainer.fit(Epochs(1)).unwrap();
    let next = store.run(&next.id().unwrap().to_string()).unwrap();
    assert_eq!(next.summary.parent.as_ref().map(|parent| &parent.run), run.id());
}

#[test]
fn a_second_fit_names_the_first_and_is_repeated_from_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let csv = folder.path().join("clouds.csv");
    let mut text = String::from("a,b,c,d,class\n");
    let data = clouds();
    let mut loader = trainbook::data::Loader::new(&data, Part::Train, 100, None);
    let mut batch = trainbook::data::Batch::default();
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
    let record = store.run(&second.id().unwrap().to_string()).unwrap();
    let parent = record.summary.parent.clone().unwrap();
    assert_eq!((&parent.run, parent.resumed), (first.id().unwrap(), false));
    let diff = trainbook::store::RunDiff::between(
        &store.run(&first.id().unwrap().to_string()).unwrap(),
        &record,
    );
    assert!(diff.causes.iter().any(|cause| cause.path == "parent"), "{diff}");

    // From its record alone, without the program.
    let mut again = record.trainer().unwrap().quiet().store(&store).build().unwrap();
    let repeated = again.fit(Steps(7)).unwrap();
    assert_eq!(weight_bits(&repeated), weight_bits(&second));
    let repeated = store.run(&repeated.id().unwrap().to_string()).unwrap();
    assert_eq!(points(&repeated.series), points(&record.series));

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
    let stopped = store.run(&stopped.id().unwrap().to_string()).unwrap();
    let resumed = stopped.resume_quietly().unwrap();
    assert_eq!(weight_bits(&resumed), weight_bits(&expected));
    assert_eq!(all_points(&store, &resumed), all_points(&store, &expected));
    let text = store.run(&resumed.id().unwrap().to_string()).unwrap().view().text;
    let before = format!(
        "resumed run {} at step 16, and before that {}, {}",
        stopped.summary.id,
        second.id().unwrap(),
        first.id().unwrap()
    );
    assert!(text.contains(&before), "{text}");
    let message = match store.run(&resumed.id().unwrap().to_string()).unwrap().trainer() {
        Ok(_) => panic!("it is no fit from its beginning"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("resume that one to repeat it"), "{message}");
}

/// Written by trainbook before checkpoints were safetensors files.
#[test]
fn a_checkpoint_of_the_first_version_is_read() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let trainer = || {
        let stopping = EarlyStopping::on("val_loss").patience(4).restore_best();
        let trainer = builder(&data, 5).with(LrSchedule::constant(0.03)).with(stopping);
        trainer.with(Checkpoint::last()).store(&store).build().unwrap()
    };
    let (mut trainer, mut same) = (trainer(), trainer());
    same.fit(Epochs(2)).unwrap();
    let bytes = include_bytes!("fixtures/checkpoint-1.bin");
    trainer.load_checkpoint(bytes).unwrap();
    assert_eq!(trainer.state_hash().unwrap(), same.state_hash().unwrap());
    let message = trainer.resume_from(bytes).unwrap_err().to_string();
    assert!(message.contains("between two fits"), "{message}");
}
