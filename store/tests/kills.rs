//! Processes that are killed at any moment: SIGKILL, which nobody can answer.
//!
//! The number of kills is 300; `TRAINBOOK_KILLS=10000` asks for more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::other::{Other, say, task};
use common::{finished, new_store, start};
use rand_core::Rng;
use rand_pcg::Pcg64;
use trainbook_store::{EndState, Metric, RunEnd, RunEvent, RunId, RunState, RunSummary, Store};

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    match task.as_str() {
        "write" => write_for_ever(&store),
        "rebuild" => rebuild_for_ever(&store),
        "recover" => recover_for_ever(&store),
        task => unreachable!("{task}"),
    }
}

fn kills() -> u64 {
    std::env::var("TRAINBOOK_KILLS").map_or(300, |number| number.parse().unwrap())
}

/// What a checkpoint of this step holds.
fn weights(run: &RunId, step: u64) -> String {
    format!("weights {run} {step}")
}

/// Writes one run after the other and says what was promised: the start, the points after each
/// flush, each checkpoint, which takes the place of the one before, that it is about to finish, and
/// that it has.
fn write_for_ever(store: &str) {
    let store = Store::open(store).unwrap();
    for round in 0_u64.. {
        let run = start(&store, "mlp");
        say(&format!("start {}", run.id()));
        let mut former = None;
        for step in 1..=400 {
            run.log(step, &[Metric::new("loss", step as f64)]);
            if step % (20 + round % 50) == 0 {
                run.flush().unwrap();
                say(&format!("points {step}"));
            }
            if step % 100 == 0 {
                let object = store.put_object(weights(run.id(), step).as_bytes()).unwrap();
                let (label, epoch, metric) = ("last".to_owned(), 1, None);
                run.event_on_disk(RunEvent::Checkpoint { label, step, epoch, object, metric })
                    .unwrap();
                say(&format!("checkpoint {step}"));
                if let Some(former) = former.replace(object) {
                    run.release("last", former);
                }
            }
        }
        say("finishing");
        run.finish(RunEnd::new(EndState::Finished, 400, 1)).unwrap();
        say("finished");
    }
}

/// What a child promised about one run.
#[derive(Debug, Default)]
struct Promised {
    points: u64,
    checkpoint: u64,
    finishing: bool,
    finished: bool,
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_promised() {
    let mut draw = Pcg64::new(7, 11);
    let mut crashed = 0;
    let mut remaining = kills();
    while remaining > 0 {
        // A new store now and then, so that the lists stay short.
        let (folder, store) = new_store();
        let mut promised: BTreeMap<String, Promised> = BTreeMap::new();
        for _ in 0..remaining.min(50) {
            let mut other = Other::start("write", folder.path());
            let mut said = Vec::new();
            // The first word tells that it is under way; then any moment of the next milliseconds,
            // most of them early.
            said.extend(other.hear());
            let spread = 1_u32 << (draw.next_u32() % 17);
            std::thread::sleep(Duration::from_micros(u64::from(draw.next_u32() % spread)));
            other.kill();
            while let Some(line) = other.hear() {
                said.push(line);
            }
            let mut current = String::new();
            for line in said {
                let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
                if word == "start" {
                    current = rest.to_owned();
                }
                let run = promised.entry(current.clone()).or_default();
                match word {
                    "points" => run.points = rest.parse().unwrap(),
                    "checkpoint" => run.checkpoint = rest.parse().unwrap(),
                    "finishing" => run.finishing = true,
                    "finished" => run.finished = true,
                    _ => {}
                }
            }
            remaining -= 1;
            crashed += u64::from(check(&store, &promised));
        }
        // The next process has nothing but the disk.
        check(&Store::open(folder.path()).unwrap(), &promised);
    }
    assert!(crashed * 2 > kills(), "only {crashed} kills hit a run");
}

/// Holds what the store shows against what was promised. Returns whether the newest run crashed.
fn check(store: &Store, promised: &BTreeMap<String, Promised>) -> bool {
    let runs = store.runs().unwrap();
    for (id, promise) in promised {
        assert!(runs.iter().any(|run| run.id.as_str() == id), "{id} is gone");
        assert!(promise.finishing || !promise.finished);
    }
    for summary in &runs {
        // A run may have begun without having said so.
        let nothing = Promised::default();
        let promise = promised.get(summary.id.as_str()).unwrap_or(&nothing);
        let what = format!("{}: {promise:?}, {:?}", summary.id, summary.state);
        match summary.state {
            RunState::Finished => assert!(promise.finishing, "{what}"),
            RunState::Crashed => assert!(!promise.finished, "{what}"),
            _ => unreachable!("{what}"),
        }
        assert!(promise.points == 0 || summary.metrics["loss"].count >= promise.points, "{what}");
    }
    let newest = &runs[0];
    let record = match store.run(newest.id.as_str()) {
        Ok(record) => record,
        // Killed before its start record was whole; such a run was never promised.
        Err(_) if !promised.contains_key(newest.id.as_str()) => return false,
        Err(error) => unreachable!("{error}"),
    };
    let series = record.series.get("loss").map(Vec::as_slice).unwrap_or_default();
    let prefix = series
        .iter()
        .zip(1..)
        .all(|((step, value), expected)| *step == expected && *value == expected as f64);
    assert!(prefix, "not a prefix of what was logged");
    let mut kept = Vec::new();
    for event in &record.events {
        let RunEvent::Checkpoint { object, step, .. } = &event.event else { continue };
        assert_eq!(store.get_object(object).unwrap(), weights(&newest.id, *step).as_bytes());
        kept.push(*step);
    }
    // The newest, and the one before if the kill came before its release.
    let promise = promised.get(newest.id.as_str()).map_or(0, |promise| promise.checkpoint);
    assert!(kept.len() <= 2 && kept.is_sorted(), "{kept:?}");
    assert!(kept.last().copied().unwrap_or_default() >= promise, "{kept:?}, and {promise}");
    match record.summary.state {
        RunState::Finished => assert_eq!(kept, [400]),
        _ => assert!(kept.windows(2).all(|two| two[1] - two[0] == 100), "{kept:?}"),
    }
    record.summary.state == RunState::Crashed
}

fn rebuild_for_ever(store: &str) {
    let store = Store::open(store).unwrap();
    loop {
        say("rebuilding");
        store.rebuild_index().unwrap();
    }
}

/// Damages the index and lets it be set aside and built anew, again and again.
fn recover_for_ever(store: &str) {
    for round in 0_usize.. {
        let files = std::fs::read_dir(Path::new(store).join("index")).unwrap();
        for path in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.iter_mut().skip(round % 13).step_by(17).for_each(|byte| *byte ^= 0xff);
            std::fs::write(&path, bytes).unwrap();
        }
        say("recovering");
        Store::open(store).unwrap().runs().unwrap();
        for entry in std::fs::read_dir(store).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("index.damaged-") {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
    }
}

#[test]
fn a_kill_during_a_rebuild_or_a_recovery_costs_nothing() {
    let (folder, store) = new_store();
    for n in 0..60 {
        finished(&store, "mlp", f64::from(n));
    }
    // Long enough to be sealed.
    let long = start(&store, "mlp");
    for step in 1..=100_000_u64 {
        long.log(step, &[Metric::new("loss", 1.0 / step as f64)]);
    }
    long.finish(RunEnd::new(EndState::Finished, 100_000, 1)).unwrap();
    let expected: Vec<RunSummary> = store.runs().unwrap();
    let curve = store.history(long.id().as_str(), "loss", usize::MAX).unwrap();
    let id = long.id().to_string();
    drop(long);
    let mut draw = Pcg64::new(8, 11);
    for round in 0..kills() / 5 {
        let mut other =
            Other::start(if round % 2 == 0 { "rebuild" } else { "recover" }, folder.path());
        other.hear().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(draw.next_u32() % 40_000)));
        other.kill();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.runs().unwrap(), expected, "round {round}");
        assert_eq!(store.history(&id, "loss", usize::MAX).unwrap(), curve, "round {round}");
        assert_eq!(store.index_problem(), None, "round {round}");
    }
}
