//! Several processes on one store.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::other::{Other, say, task};
use common::{finished, new_store, start};
use trainbook_store::{
    EndState, Environment, IndexProblem, Metric, RunEnd, RunEvent, RunStart, RunState, Store,
};

/// How long the writers of the crowd write and its readers ask, in seconds.
const CROWD: u64 = 20;

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    match task.as_str() {
        "index" => hold_index(&store),
        "run" => hold_run(&store),
        "crowd-write" => crowd_write(&store),
        "crowd-ask" => crowd_ask(&store),
        task => unreachable!("{task}"),
    }
}

/// Holds the index as a process does that was stopped in the middle of a query.
fn hold_index(store: &str) {
    let path = Path::new(store).join("index.lock");
    std::fs::write(&path, std::process::id().to_string()).unwrap();
    let lock = std::fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    say("held");
    std::thread::sleep(Duration::from_secs(600));
}

fn hold_run(store: &str) {
    let begin = RunStart { environment: Environment::capture(), ..RunStart::default() };
    let run = Store::open(store).unwrap().start_run(begin).unwrap();
    run.log(1, &[Metric::new("loss", 0.5)]);
    run.flush().unwrap();
    say(run.id().as_str());
    std::thread::sleep(Duration::from_secs(600));
}

/// Writes runs until the time is over, and says each with the number of its points once it is
/// finished.
fn crowd_write(store: &str) {
    let store = Store::open(store).unwrap();
    let deadline = Instant::now() + Duration::from_secs(CROWD);
    for round in 0_u64.. {
        if Instant::now() >= deadline {
            break;
        }
        let run = start(&store, "mlp");
        let points = 200 + round % 7 * 1000;
        for step in 1..=points {
            // Both belong to one record, so a reader sees both or neither.
            run.log(
                step,
                &[Metric::new("loss", step as f64), Metric::new("twice", 2.0 * step as f64)],
            );
            if step % 500 == 0 {
                run.event(RunEvent::Note { text: step.to_string() });
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        run.finish(RunEnd::new(EndState::Finished, points, 1)).unwrap();
        say(&format!("{} {points}", run.id()));
    }
    say("done");
}

/// Asks all the time, in every way, and says how often once the time is over.
fn crowd_ask(store: &str) {
    let store = Store::open_existing(store).unwrap();
    let deadline = Instant::now() + Duration::from_secs(CROWD);
    let mut asked = 0_u64;
    while Instant::now() < deadline {
        for run in store.runs().unwrap() {
            assert_eq!(run.damage, None, "{}", run.id);
            assert_ne!(run.state, RunState::Crashed, "{}", run.id);
            let count =
                |name: &str| run.metrics.get(name).map(|metric| (metric.count, metric.last));
            if let (Some((losses, loss)), Some((others, twice))) = (count("loss"), count("twice")) {
                assert_eq!((losses, 2.0 * loss), (others, twice), "half of a record of {}", run.id);
            }
        }
        let best = store.query("metrics.loss.count > 0 order by metrics.loss.max desc limit 3");
        // Before there is a first run, no run has that metric.
        if let Some(run) = best.iter().flatten().next() {
            let record = store.run(run.id.as_str()).unwrap();
            assert!(
                record.series["loss"].iter().zip(1..).all(|(point, step)| point.0 == step),
                "{}",
                run.id
            );
            assert_eq!(record.series["loss"].len(), record.series["twice"].len(), "{}", run.id);
            store.history(run.id.as_str(), "twice", 50).unwrap();
        }
        asked += 1;
    }
    say(&asked.to_string());
}

#[test]
fn eight_writers_and_four_readers_lose_nothing() {
    let (folder, store) = new_store();
    let mut writers: Vec<Other> =
        (0..8).map(|_| Other::start("crowd-write", folder.path())).collect();
    let mut readers: Vec<Other> =
        (0..4).map(|_| Other::start("crowd-ask", folder.path())).collect();
    let mut written = Vec::new();
    for writer in &mut writers {
        loop {
            let said = writer.hear().expect("a writer failed");
            let Some((id, points)) = said.split_once(' ') else { break };
            written.push((id.to_owned(), points.parse::<u64>().unwrap()));
        }
    }
    for reader in &mut readers {
        let asked: u64 = reader.hear().expect("a reader failed").parse().unwrap();
        assert!(asked > 0);
    }
    assert!(written.len() >= 16, "{} runs in {CROWD} seconds", written.len());
    let store = Store::open_existing(store.path()).unwrap();
    assert_eq!(store.runs().unwrap().len(), written.len());
    for (id, points) in written {
        let record = store.run(&id).unwrap();
        assert_eq!(record.summary.state, RunState::Finished);
        let expected = (1..=points).map(|step| (step, step as f64));
        assert!(record.series["loss"].iter().copied().eq(expected), "{id}");
        assert_eq!(record.events.len() as u64, points / 500, "{id}");
        let known = store.query(&format!("id = '{id}'")).unwrap().remove(0);
        assert_eq!(known, record.summary, "the index says something else");
    }
}

#[test]
fn a_query_does_not_wait_for_a_process_that_holds_the_index() {
    let (folder, store) = new_store();
    finished(&store, "mlp", 0.5);
    let mut other = Other::start("index", folder.path());
    assert_eq!(other.hear().as_deref(), Some("held"));
    // Made while the index is held, so only the journal knows it.
    finished(&store, "mlp", 0.25);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.query("metrics.loss.min < 1 order by metrics.loss.min").unwrap().len(), 2);
    let holder = format!("process {}", other.id());
    let problem = store.index_problem().unwrap();
    assert!(matches!(problem, IndexProblem::Unavailable(_)), "{problem:?}");
    let problem = problem.to_string();
    assert!(problem.starts_with(&holder), "{problem}");
    signal("-STOP", other.id());
    let refused = store.rebuild_index().unwrap_err().to_string();
    assert!(refused.contains(&format!("{holder}, which is stopped")), "{refused}");
    other.kill();
    assert_eq!(store.rebuild_index().unwrap(), 2);
    store.runs().unwrap();
    assert_eq!(store.index_problem(), None);
}

#[test]
fn a_stopped_process_still_holds_its_run() {
    let (folder, store) = new_store();
    let mut other = Other::start("run", folder.path());
    let id = other.hear().unwrap();
    assert_eq!(store.run(&id).unwrap().stopped_writer(), None);
    signal("-STOP", other.id());
    let record = store.run(&id).unwrap();
    assert_eq!(
        (record.summary.state.clone(), record.stopped_writer()),
        (RunState::Running, Some(other.id()))
    );
    assert_eq!(store.runs().unwrap()[0].state, RunState::Running);
    other.kill();
    assert_eq!(store.runs().unwrap()[0].state, RunState::Crashed);
    assert_eq!(store.query("state = 'crashed'").unwrap().len(), 1);
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
    // The signal takes effect when the process is next scheduled.
    let deadline = Instant::now() + Duration::from_secs(20);
    let stopped =
        || std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap().contains(") T ");
    while name == "-STOP" && !stopped() {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_tail_sees_everything_once_and_the_end() {
    let (_folder, store) = new_store();
    let run = start(&store, "mlp");
    let mut tail = store.tail(run.id().as_str()).unwrap();
    let (mut steps, mut notes) = (Vec::new(), 0);
    for step in 1..=300_u64 {
        run.log(step, &[Metric::new("loss", step as f64)]);
        if step % 100 == 0 {
            run.event(RunEvent::Note { text: "hundred".into() });
            run.flush().unwrap();
        }
        if step % 70 == 0 {
            let update = tail.poll().unwrap().unwrap();
            assert!(update.live);
            steps.extend(update.points.iter().map(|point| point.1));
            notes += update.events.len();
        }
    }
    run.finish(RunEnd::new(EndState::Finished, 300, 1)).unwrap();
    drop(run);
    let update = tail.poll().unwrap().unwrap();
    assert_eq!((update.live, &update.summary.state), (false, &RunState::Finished));
    steps.extend(update.points.iter().map(|point| point.1));
    assert!(steps.iter().copied().eq(1..=300), "{steps:?}");
    assert_eq!(notes + update.events.len(), 3);
    let again = tail.poll().unwrap().unwrap();
    assert!(again.points.is_empty() && again.events.is_empty() && !again.live);
}
