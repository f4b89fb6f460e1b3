//! Several processes on one store, and processes that are killed.
//!
//! The other process is this test program itself: `child` does nothing unless the environment names a store.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{finished, new_store, start};
use trainbook_store::{EndState, Metric, RunEnd, RunState, Store};

const STORE: &str = "TRAINBOOK_TEST_STORE";
const TASK: &str = "TRAINBOOK_TEST_TASK";

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let (Ok(store), Ok(task)) = (std::env::var(STORE), std::env::var(TASK)) else { return };
    match task.as_str() {
        "write" => write_for_ever(&store),
        "index" => hold_index(&store),
        task => unreachable!("{task}"),
    }
}

/// Logs one point after the other and says after each flush how many there are.
fn write_for_ever(store: &str) {
    let run = start(&Store::open(store).unwrap(), "mlp");
    say(run.id().as_str());
    for step in 1.. {
        run.log(step, &[Metric::new("loss", step as f64)]);
        if step % 50 == 0 {
            run.flush().unwrap();
            say(&step.to_string());
        }
    }
}

/// Holds the index as a process does that was stopped in the middle of a query.
fn hold_index(store: &str) {
    let lock = std::fs::File::create(Path::new(store).join("index.lock")).unwrap();
    lock.lock().unwrap();
    say("held");
    std::thread::sleep(Duration::from_secs(600));
}

/// The prefix tells these lines from those of the test harness.
fn say(text: &str) {
    println!("\nchild:{text}");
    std::io::stdout().flush().unwrap();
}

struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(task: &str, store: &Path) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(STORE, store)
            .env(TASK, task)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Other { child, output }
    }

    /// The next thing that the child says; `None` once it is gone and everything it said was heard.
    fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            // A line without its end was cut off by the kill.
            if self.output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(said) = line.trim_end().strip_prefix("child:") {
                return Some(said.to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let (folder, store) = new_store();
    for round in 0..20_u64 {
        let mut other = Other::start("write", folder.path());
        let id = other.hear().unwrap();
        let mut acknowledged: u64 = 0;
        for _ in 0..round % 4 {
            acknowledged = other.hear().unwrap().parse().unwrap();
        }
        assert_eq!(store.run(&id).unwrap().summary.state, RunState::Running);
        // Some microseconds further each time, to hit different moments of a write.
        std::thread::sleep(Duration::from_micros(round * 613));
        other.kill();
        while let Some(said) = other.hear() {
            acknowledged = said.parse().unwrap();
        }
        let record = store.run(&id).unwrap();
        assert_eq!(record.summary.state, RunState::Crashed, "round {round}");
        let series = record.series.get("loss").map(Vec::as_slice).unwrap_or_default();
        assert!(series.len() as u64 >= acknowledged, "round {round}: {} of {acknowledged} points", series.len());
        let right =
            series.iter().zip(1..).all(|((step, value), expected)| *step == expected && *value == expected as f64);
        assert!(right, "round {round}: not a prefix of what was logged");
    }
    assert_eq!(store.query("state = 'crashed'").unwrap().len(), 20);
}

#[test]
fn a_query_does_not_wait_for_a_process_that_holds_the_index() {
    let (folder, store) = new_store();
    finished(&store, "mlp", 0.5);
    let mut other = Other::start("index", folder.path());
    assert_eq!(other.hear().as_deref(), Some("held"));
    // Made while the index is held, so only the journal knows it.
    finished(&store, "mlp", 0.25);
    assert_eq!(store.query("metrics.loss.min < 1 order by metrics.loss.min").unwrap().len(), 2);
    assert!(store.rebuild_index().unwrap_err().to_string().contains("another process holds it"));
    other.kill();
    assert_eq!(store.rebuild_index().unwrap(), 2);
}

#[test]
fn several_writers_and_readers_share_a_store() {
    let (folder, store) = new_store();
    let deadline = Instant::now() + Duration::from_secs(120);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let store = Store::open(folder.path()).unwrap();
                scope.spawn(move || {
                    for _ in 0..5 {
                        finished(&store, "mlp", 0.5);
                    }
                })
            })
            .collect();
        let reader = Store::open_existing(folder.path()).unwrap();
        while !writers.iter().all(|writer| writer.is_finished()) {
            assert!(Instant::now() < deadline, "the writers hang");
            for run in reader.runs().unwrap() {
                assert_eq!(run.damage, None);
                assert_ne!(run.state, RunState::Crashed, "{}", run.id);
            }
        }
    });
    assert_eq!(store.query("state = 'finished' and metrics.loss.count = 2").unwrap().len(), 15);
    let run = start(&store, "mlp");
    run.finish(RunEnd::new(EndState::Failed { error: "out of memory".into() }, 0, 0)).unwrap();
    assert_eq!(store.query("state = 'failed'").unwrap()[0].id, *run.id());
}
