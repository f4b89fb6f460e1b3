//! What the index answers without the journals. In these tests the journals are poisoned once the
//! index has been written, so that an answer from them says something else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::os::unix::fs::FileExt;
use std::path::Path;

use common::other::{Other, say, task};
use common::{finished, journal, new_store, start};
use trainbook_store::{EndState, Metric, RunEnd, RunState, RunSummary, Store};

/// What the other process does: says what a list of the store is, or makes runs that are listed.
#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    let store = Store::open_existing(store).unwrap();
    if task == "make" {
        (0..3).for_each(|n| drop(finished(&store, "mlp", f64::from(n))));
    }
    say(&format!("{:?}", store.runs().unwrap()));
}

/// A store that remembers nothing.
fn fresh(store: &Store) -> Store {
    Store::open_existing(store.path()).unwrap()
}

/// Overwrites the first `bytes` bytes of a journal, whose length stays. Gives back what was there.
fn poison_start(store: &Store, id: &str, bytes: usize) -> Vec<u8> {
    let path = journal(store.path(), id);
    let before = std::fs::read(&path).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&vec![0x5a; bytes.min(before.len())], 0).unwrap();
    before
}

/// Overwrites all journals of these runs. Gives back what was in them.
fn poison(store: &Store, runs: &[RunSummary]) -> Vec<Vec<u8>> {
    let poisoned = runs.iter().map(|run| poison_start(store, run.id.as_str(), usize::MAX));
    let before = poisoned.collect();
    for run in runs {
        assert!(store.run(run.id.as_str()).is_err(), "the poison works");
    }
    before
}

/// Writes the journals again.
fn restore(store: &Store, runs: &[RunSummary], before: &[Vec<u8>]) {
    for (run, bytes) in runs.iter().zip(before) {
        std::fs::write(journal(store.path(), run.id.as_str()), bytes).unwrap();
    }
}

/// What the journals say of all runs, newest first.
fn told_by_journals(store: &Store) -> Vec<RunSummary> {
    let runs = fresh(store).runs().unwrap();
    let told: Vec<_> =
        runs.iter().map(|run| store.run(run.id.as_str()).unwrap().summary.clone()).collect();
    assert_eq!(runs, told);
    assert!(told.iter().all(|run| run.damage.is_none() && run.state == RunState::Finished));
    told
}

/// Every way to ask gives these runs, and the index could be used.
fn assert_known(store: &Store, expected: &[RunSummary]) {
    let list = fresh(store);
    assert_eq!(list.runs().unwrap(), expected, "all at once");
    assert_eq!(list.index_problem(), None);
    let one = fresh(store);
    for run in expected {
        assert_eq!(one.summary(run.id.as_str()).unwrap(), *run, "one at a time");
    }
    let query = fresh(store).query("metrics.loss.min >= 1 order by metrics.loss.min").unwrap();
    assert_eq!(query.len(), expected.iter().filter(|run| run.metrics["loss"].min >= 1.0).count());
}

#[test]
fn settled_runs_are_answered_without_their_journals() {
    let (_folder, store) = new_store();
    for n in 0..5 {
        finished(&store, "mlp", f64::from(n));
    }
    let expected = told_by_journals(&store);
    poison(&store, &expected);
    assert_known(&store, &expected);
    // A journal that has become longer is another one.
    let id = expected[2].id.as_str();
    let path = journal(store.path(), id);
    let longer = [std::fs::read(&path).unwrap(), vec![0x5a]].concat();
    std::fs::write(&path, longer).unwrap();
    let damaged = |run: &RunSummary| run.damage.is_some();
    assert!(damaged(&fresh(&store).summary(id).unwrap()));
    let runs = fresh(&store).runs().unwrap();
    assert_eq!(runs.iter().filter(|run| damaged(run)).count(), 1);
    assert!(damaged(runs.iter().find(|run| run.id.as_str() == id).unwrap()));
}

/// Nobody has to ask for the run first.
#[test]
fn a_run_is_in_the_index_once_its_writer_is_gone() {
    let (_folder, store) = new_store();
    let found = (0..5).any(|n| {
        let id = finished(&store, "mlp", f64::from(n));
        poison_start(&store, &id, usize::MAX);
        // A writer that finds the index in use leaves it to whoever asks next.
        fresh(&store).summary(&id).unwrap().damage.is_none()
    });
    assert!(found, "no writer put its run into the index");
}

/// A store that knows most of the runs looks the others up one by one.
#[test]
fn a_list_with_few_new_runs_is_answered_without_their_journals() {
    let (_folder, store) = new_store();
    for n in 0..20 {
        finished(&store, "mlp", f64::from(n));
    }
    let asking = fresh(&store);
    assert_eq!(asking.runs().unwrap().len(), 20);
    finished(&store, "mlp", 20.0);
    let expected = told_by_journals(&store);
    poison(&store, &expected);
    assert_eq!(asking.runs().unwrap(), expected);
    assert_eq!(asking.index_problem(), None);
}

/// Who has to look up more than an eighth of the runs goes through the whole index and drops those
/// that are no more: of one whose journal comes back unreadable, it knows nothing then.
#[test]
fn the_whole_index_is_gone_through_for_many_new_runs_only() {
    for (runs, whole) in [(8, false), (7, true)] {
        let (_folder, store) = new_store();
        for n in 0..runs {
            finished(&store, "mlp", f64::from(n));
        }
        let asking = fresh(&store);
        let gone = asking.runs().unwrap().remove(0);
        let (path, aside) = (journal(store.path(), gone.id.as_str()), store.path().join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        finished(&store, "mlp", f64::from(runs));
        assert_eq!(asking.runs().unwrap().len(), runs as usize, "one of them is new");
        assert_eq!(asking.index_problem(), None);
        std::fs::rename(&aside, &path).unwrap();
        poison_start(&store, gone.id.as_str(), usize::MAX);
        let found = fresh(&store).summary(gone.id.as_str()).unwrap();
        assert_eq!(found.damage.is_some(), whole, "one new run of {runs}");
    }
}

/// What a store has once read of an ended run it asks neither the index nor the journal for again,
/// and of one that grows it reads what is new.
#[test]
fn a_store_remembers_what_it_read() {
    let (_folder, store) = new_store();
    for n in 0..3 {
        finished(&store, "mlp", f64::from(n));
    }
    let growing = start(&store, "mlp");
    let id = growing.id().to_string();
    growing.log(1, &[Metric::new("loss", 1.0)]);
    growing.flush().unwrap();
    let asking = fresh(&store);
    let mut expected = asking.runs().unwrap();
    std::fs::remove_dir_all(store.path().join("index")).unwrap();
    for run in &expected {
        poison_start(&store, run.id.as_str(), 32);
    }
    assert_eq!(asking.runs().unwrap(), expected, "the same runs");
    // One more, so that the list is put together anew.
    let newest = finished(&store, "mlp", 9.0);
    growing.log(2, &[Metric::new("loss", 0.5)]);
    growing.flush().unwrap();
    expected.iter_mut().filter(|run| run.id.as_str() == id).for_each(|run| {
        let known = asking.summary(&id).unwrap();
        assert_eq!((known.metrics["loss"].count, known.metrics["loss"].last), (2, 0.5));
        *run = known;
    });
    let runs = asking.runs().unwrap();
    assert_eq!(runs.len(), 5);
    let others: Vec<_> = runs.into_iter().filter(|run| run.id.as_str() != newest).collect();
    assert_eq!(others, expected);
    // Once it has ended, its journal is not even looked at.
    growing.finish(RunEnd::new(EndState::Finished, 2, 1)).unwrap();
    drop(growing);
    let runs = asking.runs().unwrap();
    let ended = runs.iter().find(|run| run.id.as_str() == id).unwrap();
    assert_eq!((&ended.state, ended.metrics["loss"].count), (&RunState::Finished, 2));
    std::fs::write(journal(store.path(), &id), "short").unwrap();
    assert_eq!(asking.runs().unwrap(), runs);
    // Until it is told to read all over again.
    asking.rebuild_index().unwrap();
    let damaged = asking.runs().unwrap().into_iter().filter(|run| run.damage.is_some()).count();
    assert_eq!(damaged, 4);
}

/// What may still change is not kept as if it had ended.
#[test]
fn a_run_that_is_being_written_is_not_settled() {
    let (_folder, store) = new_store();
    let run = start(&store, "mlp");
    run.flush().unwrap();
    let state = || fresh(&store).runs().unwrap()[0].state.clone();
    assert_eq!((state(), state()), (RunState::Running, RunState::Running));
    drop(run);
    assert_eq!((state(), state()), (RunState::Crashed, RunState::Crashed));
}

/// Of runs that began in the same moment the one with the greater id is the newer one.
#[test]
fn the_list_is_in_the_same_order_always() {
    let (_folder, store) = new_store();
    let ids: Vec<String> = (0..8).map(|n| format!("20260101-000000-00000{n}")).collect();
    for id in &ids {
        std::fs::write(journal(store.path(), id), "not a journal").unwrap();
    }
    for _ in 0..2 {
        let runs = fresh(&store).runs().unwrap();
        let found: Vec<_> = runs.iter().rev().map(|run| run.id.as_str()).collect();
        assert_eq!(found, ids);
    }
}

/// Who knows everything does not open the index, not even for another list of the same runs.
#[test]
fn a_store_that_knows_all_runs_leaves_the_index_alone() {
    let (_folder, store) = new_store();
    for n in 0..3 {
        finished(&store, "mlp", f64::from(n));
    }
    let asking = fresh(&store);
    let all = asking.runs().unwrap();
    fresh(&store).plan_deletion(&[all[1].id.as_str()]).unwrap().carry_out().unwrap();
    let lock = std::fs::File::open(store.path().join("index.lock")).unwrap();
    lock.lock().unwrap();
    let started = std::time::Instant::now();
    assert_eq!(asking.runs().unwrap(), [all[0].clone(), all[2].clone()]);
    assert_eq!((asking.index_problem(), started.elapsed().as_secs()), (None, 0));
    // One that knows nothing waits for a second, reads the journals and says so.
    let other = fresh(&store);
    assert_eq!(other.runs().unwrap(), asking.runs().unwrap());
    assert!(other.index_problem().is_some());
    assert_eq!(other.summary(all[0].id.as_str()).unwrap(), all[0]);
    drop(lock);
    let id = finished(&store, "mlp", 7.0);
    assert!(other.runs().unwrap().iter().any(|run| run.id.as_str() == id));
    assert_eq!(other.index_problem(), None);
}

#[test]
fn a_rebuilt_index_says_what_the_journals_say_now() {
    let (_folder, store) = new_store();
    for n in 0..3 {
        finished(&store, "mlp", f64::from(n));
    }
    let expected = told_by_journals(&store);
    let before = poison(&store, &expected);
    assert_known(&store, &expected);
    // What was in the index is gone, and the journals are unreadable.
    fresh(&store).rebuild_index().unwrap();
    assert!(fresh(&store).runs().unwrap().iter().all(|run| run.damage.is_some()));
    restore(&store, &expected, &before);
    assert_eq!(fresh(&store).rebuild_index().unwrap(), 3);
    poison(&store, &expected);
    assert_known(&store, &expected);
    // From nothing.
    restore(&store, &expected, &before);
    std::fs::remove_dir_all(store.path().join("index")).unwrap();
    assert_eq!(fresh(&store).rebuild_index().unwrap(), 3);
    poison(&store, &expected);
    assert_known(&store, &expected);
}

#[test]
fn an_index_that_was_damaged_answers_again() {
    let (_folder, store) = new_store();
    for n in 0..3 {
        finished(&store, "mlp", f64::from(n));
    }
    let expected = told_by_journals(&store);
    for entry in std::fs::read_dir(store.path().join("index")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes: Vec<u8> =
                std::fs::read(&path).unwrap().iter().map(|byte| byte ^ 0x5a).collect();
            std::fs::write(&path, bytes).unwrap();
        }
    }
    assert_eq!(fresh(&store).runs().unwrap(), expected);
    assert_eq!(set_aside(store.path()), 1);
    poison(&store, &expected);
    assert_known(&store, &expected);
    assert_eq!(set_aside(store.path()), 1, "the new one is whole");
}

/// How many damaged indexes were set aside.
fn set_aside(store: &Path) -> usize {
    let names = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("index.damaged-")).count()
}

#[test]
fn what_one_process_settles_another_one_knows() {
    let (_folder, store) = new_store();
    // The other process puts its runs into the index, and this one asks.
    let made = Other::start("make", store.path()).hear().unwrap();
    let expected = told_by_journals(&store);
    assert_eq!((expected.len(), made), (3, format!("{expected:?}")));
    poison(&store, &expected);
    assert_known(&store, &expected);
    // The other way round.
    finished(&store, "mlp", 7.0);
    let newest = fresh(&store).runs().unwrap();
    let newest: Vec<_> = newest.into_iter().filter(|run| !expected.contains(run)).collect();
    poison(&store, &newest);
    let all = fresh(&store).runs().unwrap();
    assert_eq!((all.len(), newest[0].damage.is_none()), (4, true));
    assert_eq!(Other::start("list", store.path()).hear().unwrap(), format!("{all:?}"));
}

/// A long journal is read from where it is sealed, while its run goes on, too.
#[test]
fn a_long_curve_is_answered_without_the_start_of_its_journal() {
    const POINTS: u64 = 250_000;
    let (_folder, store) = new_store();
    let value = |step: u64| (step as f64).sqrt().sin();
    let run = start(&store, "mlp");
    let id = run.id().to_string();
    let log = |from: u64, to: u64| {
        for step in from..=to {
            run.log(step, &[Metric::new("loss", value(step))]);
            if step % 50_000 == 0 {
                run.flush().unwrap();
            }
        }
        run.flush().unwrap();
    };
    let assert_curve = |points: u64| {
        let curve = fresh(&store).history(&id, "loss", usize::MAX).unwrap();
        assert_eq!(curve.total, points);
        assert!(curve.points.into_iter().eq((1..=points).map(|step| (step, value(step)))));
        let at = fresh(&store).query(&format!("metrics.loss.at(1) = {:?}", value(1))).unwrap();
        assert_eq!(at.len(), 1);
    };
    log(1, POINTS);
    let length = journal(store.path(), &id).metadata().unwrap().len();
    assert!(length > 2 << 20, "{length} bytes");
    assert_curve(POINTS);
    poison_start(&store, &id, 1 << 20);
    assert!(store.run(&id).is_err(), "the poison works");
    assert_curve(POINTS);
    let growing = fresh(&store).summary(&id).unwrap();
    assert_eq!((&growing.state, growing.damage.as_deref()), (&RunState::Running, None));
    assert_eq!((growing.metrics["loss"].count, growing.steps), (POINTS, POINTS));
    // A little more, which stays open, and so much that it is sealed as well.
    log(POINTS + 1, POINTS + 10);
    assert_curve(POINTS + 10);
    log(POINTS + 11, 2 * POINTS);
    assert_curve(2 * POINTS);
    assert_curve(2 * POINTS);
    run.finish(RunEnd::new(EndState::Finished, 2 * POINTS, 1)).unwrap();
    drop(run);
    let ended = fresh(&store).runs().unwrap().remove(0);
    assert_eq!((&ended.state, ended.damage.as_deref()), (&RunState::Finished, None));
    assert_eq!(ended.metrics["loss"].count, 2 * POINTS);
    poison_start(&store, &id, usize::MAX);
    assert_eq!(fresh(&store).summary(&id).unwrap(), ended);
}
