//! What a run keeps of the checkpoints that callbacks ask for, in a store.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

mod support;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use support::Fake;
use trainbook_callbacks::seam::KeptCheckpoints;
use trainbook_callbacks::{Checkpoint, CheckpointRequest, Counters, Stack};
use trainbook_store::{EndState, RunEnd, RunEvent, RunRecord, RunStart, RunWriter, Store};

/// A store with a run that is being written.
fn run() -> (tempfile::TempDir, Store, RunWriter) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    (folder, store, run)
}

/// Fits for so many epochs of three steps and writes what is asked for, as the trainer does.
/// Whatever is asked for at one moment holds the same.
fn fit(fake: &mut Fake, epochs: u64, run: &RunWriter) {
    let before = fake.seen.requests.len();
    let first = fake.counters;
    fake.fit(epochs);
    let mut kept = KeptCheckpoints::default();
    for (epoch, requests) in (first.epoch + 1..).zip(&fake.seen.requests[before..]) {
        for request in requests {
            write(&mut kept, run, request, epoch, true);
        }
    }
}

fn write(
    kept: &mut KeptCheckpoints,
    run: &RunWriter,
    request: &CheckpointRequest,
    epoch: u64,
    works: bool,
) {
    let counters = Counters { epoch, updates_applied: 3 * epoch, ..Counters::default() };
    if works {
        let object = run.store().put_object(format!("state {epoch}").as_bytes()).unwrap();
        kept.record(run, request.clone(), counters, object);
    } else {
        kept.failed(request.clone(), counters);
    }
}

fn end(run: RunWriter) -> String {
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    run.id().to_string()
}

/// Labels and epochs of the checkpoints that the record lists; each can be read.
fn listed(store: &Store, record: &RunRecord) -> Vec<String> {
    let events = record.events.iter().map(|event| &event.event);
    let checkpoints = events.filter_map(|event| match event {
        RunEvent::Checkpoint { label, epoch, object, .. } => {
            let bytes = store.get_object(object).unwrap();
            assert_eq!(bytes, format!("state {epoch}").as_bytes());
            Some(format!("{label} {epoch}"))
        }
        _ => None,
    });
    checkpoints.collect()
}

/// Collects as if everything had been put long ago; gives how many files went.
fn collect(store: &Store, folder: &Path) -> usize {
    for prefix in std::fs::read_dir(folder.join("objects")).unwrap() {
        for file in std::fs::read_dir(prefix.unwrap().path()).unwrap() {
            let file = File::options().write(true).open(file.unwrap().path()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(9000)).unwrap();
        }
    }
    let collected = store.plan_collection().unwrap().carry_out().unwrap();
    assert!(collected.left.is_empty() && collected.renewed == 0);
    collected.files
}

/// A fit whose `val_loss` falls, rises, and falls again.
fn fake(checkpoints: Vec<Checkpoint>) -> Fake {
    let mut stack = Stack::new();
    checkpoints.into_iter().for_each(|checkpoint| stack.push(checkpoint));
    let mut fake = Fake::new(stack);
    fake.metrics = Box::new(|epoch| {
        let loss = (epoch as f64 - 6.0).abs() + if epoch % 2 == 0 { 0.0 } else { 0.25 };
        vec![("val_loss", loss), ("val_accuracy", -((epoch as f64 - 3.0).abs()))]
    });
    fake
}

#[test]
fn gc_frees_what_a_policy_no_longer_keeps() {
    let best = || Checkpoint::best("val_loss");
    let table = [
        (vec![Checkpoint::last()], vec!["last 10"], 9),
        (vec![best()], vec!["best 7"], 6),
        (
            vec![best().keep(3)],
            vec!["best-epoch-0006 6", "best-epoch-0007 7", "best-epoch-0008 8"],
            5,
        ),
        (
            vec![Checkpoint::every_epochs(3)],
            vec!["epoch-0003 3", "epoch-0006 6", "epoch-0009 9"],
            0,
        ),
        (vec![Checkpoint::every_epochs(3).keep(1)], vec!["epoch-0009 9"], 2),
        // Each keeps its own, also under one label, and also what another has released.
        (vec![Checkpoint::last(), Checkpoint::last()], vec!["last 10", "last 10"], 9),
        (
            vec![Checkpoint::every_epochs(4), Checkpoint::every_epochs(1).keep(2)],
            vec!["epoch-0004 4", "epoch-0008 8", "epoch-0009 9", "epoch-0010 10"],
            6,
        ),
        (
            vec![best(), Checkpoint::best("val_accuracy"), Checkpoint::last()],
            vec!["best 4", "best 7", "last 10"],
            7,
        ),
    ];
    for (checkpoints, expected, freed) in table {
        let (folder, store, run) = run();
        let what = format!("{checkpoints:?}");
        let mut fake = fake(checkpoints);
        fit(&mut fake, 10, &run);
        let id = end(run);
        assert_eq!(listed(&store, &store.run(&id).unwrap()), expected, "{what}");
        assert_eq!(collect(&store, folder.path()), freed, "{what}");
        assert_eq!(listed(&store, &store.run(&id).unwrap()), expected, "{what}");
        assert_eq!(collect(&store, folder.path()), 0, "{what}");
    }
}

/// The fit behind it is a run of its own and releases nothing of the first one's, even where both
/// have written the same.
#[test]
fn no_run_releases_what_another_keeps() {
    let (folder, store, first) = run();
    let policies = || vec![Checkpoint::last(), Checkpoint::best("val_loss").keep(2)];
    let mut fake = fake(policies());
    fit(&mut fake, 4, &first);
    let first = end(first);
    let kept = |run: &str| listed(&store, &store.run(run).unwrap());
    assert_eq!(kept(&first), ["best-epoch-0003 3", "last 4", "best-epoch-0004 4"]);
    let second = store.start_run(RunStart::default()).unwrap();
    fit(&mut fake, 3, &second);
    let second = end(second);
    assert_eq!(kept(&second), ["best-epoch-0006 6", "last 7", "best-epoch-0007 7"]);
    // Begun anew, it comes to what the first has, keeps its own of it, and releases that alone.
    let mut again = self::fake(policies());
    let third = store.start_run(RunStart::default()).unwrap();
    fit(&mut again, 5, &third);
    let third = end(third);
    assert_eq!(
        kept(&third),
        ["best-epoch-0004 4", "last 5", "best-epoch-0005 5"].map(str::to_owned)
    );
    assert_eq!(collect(&store, folder.path()), 2, "of the first two epochs");
    assert_eq!(kept(&first), ["best-epoch-0003 3", "last 4", "best-epoch-0004 4"]);
}

/// Whatever cannot be written, what it would have taken the place of stays until something does.
#[test]
fn what_cannot_be_written_releases_nothing() {
    for failing in 0..64_u64 {
        let (_folder, store, run) = run();
        let id = run.id().to_string();
        let mut fake = fake(vec![Checkpoint::last(), Checkpoint::every_epochs(1).keep(2)]);
        fake.fit(6);
        let mut kept = KeptCheckpoints::default();
        let mut written = Vec::new();
        for (epoch, requests) in (1..).zip(&fake.seen.requests) {
            let works = failing >> (epoch - 1) & 1 == 0;
            requests.iter().for_each(|request| write(&mut kept, &run, request, epoch, works));
            if works {
                written.push(epoch);
            }
            run.flush().unwrap();
            let listed = listed(&store, &store.run(&id).unwrap());
            let of = |label: &str| -> Vec<&String> {
                listed.iter().filter(|kept| kept.starts_with(label)).collect()
            };
            let what = format!("{failing:06b} after {epoch}: {listed:?}");
            let newest = written.last().map(|epoch| format!("last {epoch}"));
            assert_eq!(of("last"), Vec::from_iter(&newest), "{what}");
            // One that could not be written counts as kept, and what it replaces stays for it.
            let newest = written.last().map(|epoch| format!("epoch-{epoch:04} {epoch}"));
            let epochs = of("epoch");
            assert!(epochs.len() <= 2 && epochs.last().copied() == newest.as_ref(), "{what}");
            assert!(failing != 0 || epochs.len() as u64 == epoch.min(2), "{what}");
        }
    }
}

/// Two that keep the best by different metrics may have one checkpoint between them for a while;
/// what the one releases is its own.
#[test]
fn each_metric_releases_what_it_has_earned() {
    let (_folder, store, run) = run();
    let best = ["val_loss", "val_accuracy"].map(Checkpoint::best);
    let mut fake = fake(best.into());
    fit(&mut fake, 10, &run);
    let record = store.run(end(run)).unwrap();
    let events = record.events.iter().map(|event| &event.event);
    let earned: Vec<(u64, &str)> = events
        .filter_map(|event| match event {
            RunEvent::Checkpoint { epoch, metric, .. } => {
                Some((*epoch, metric.as_ref().unwrap().name.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(earned, [(4, "val_accuracy"), (7, "val_loss")]);
}
