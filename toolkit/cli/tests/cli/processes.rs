//! Several processes on one store, and processes that are ended from outside.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Place, digits_like, json};

const PATIENCE: Duration = Duration::from_secs(120);

/// A demo that goes on for much longer than it takes to notice it.
fn long_demo(place: &Place) -> Running {
    let csv = place.path("many.csv");
    if !csv.exists() {
        std::fs::write(&csv, digits_like(30_000)).unwrap();
    }
    let mut demo = place.trainbook(&["demo", "--data", "many.csv", "--store", "store"]);
    if cfg!(target_os = "linux") {
        demo = interruptible(&demo);
    }
    Running(demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The same command, whatever the tests run under: a shell has what it starts in the background
/// ignore interrupts, and children inherit that.
fn interruptible(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=INT").arg(command.get_program()).args(command.get_args());
    env.current_dir(command.get_current_dir().unwrap());
    env
}

/// Killed when the test is over, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for what `look` finds.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All runs, listed by another process; `None` while there is no store.
fn runs(place: &Place) -> Option<Vec<Value>> {
    if !place.path("store/format").exists() {
        return None;
    }
    let list = place.json(&["runs", "list", "--json", "--store", "store"]);
    Some(list.as_array().unwrap().clone())
}

fn with_state(place: &Place, state: &str) -> Vec<Value> {
    runs(place)
        .unwrap_or_default()
        .into_iter()
        .filter(|run| run["state"]["kind"] == state)
        .collect()
}

/// Ends a demo in the middle by `end`, and looks at what is left.
fn ended_in_the_middle(end: impl Fn(&mut Child)) {
    let place = Place::new();
    let mut demo = long_demo(&place);
    let run = wait_for("a running run", || with_state(&place, "running").pop());
    end(&mut demo.0);
    let status = wait_for("the end", || demo.0.try_wait().unwrap());
    assert!(!status.success(), "it had finished before");

    let crashed = with_state(&place, "crashed");
    assert_eq!(crashed.len(), 1, "{:?}", runs(&place));
    assert_eq!(crashed[0]["id"], run["id"]);
    assert_eq!(crashed[0]["damage"], Value::Null);
    assert!(with_state(&place, "running").is_empty());
    assert!(!place.path("store/exports").exists());
    let shown =
        place.json(&["runs", "show", run["id"].as_str().unwrap(), "--json", "--store", "store"]);
    assert_eq!(shown["summary"]["state"]["kind"], "crashed");

    let before = runs(&place).unwrap().len();
    place.json(&["demo", "--json", "--store", "store"]);
    assert_eq!(runs(&place).unwrap().len(), before + 2);
    assert_eq!(with_state(&place, "crashed"), crashed);
}

#[test]
fn a_killed_demo_reads_as_crashed() {
    ended_in_the_middle(|demo| demo.kill().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_demo_keeps_its_run() {
    let place = Place::new();
    let mut demo = long_demo(&place);
    let run = wait_for("a running run", || with_state(&place, "running").pop());
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", demo.0.id())]).status();
    assert!(sent.unwrap().success());
    let status = wait_for("the end", || demo.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    let stopped = with_state(&place, "stopped");
    assert_eq!(stopped.len(), 1, "{:?}", runs(&place));
    assert_eq!(stopped[0]["id"], run["id"]);
    assert_eq!(stopped[0]["state"]["reason"], "interrupted");
    assert!(!place.path("store/exports").exists());
}

#[test]
fn two_demos_at_once_share_a_new_store() {
    let place = Place::new();
    let start = |seed: &str| {
        let mut demo = place.trainbook(&["demo", "--json", "--seed", seed, "--store", "store"]);
        demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut demos = [start("1"), start("2")];
    wait_for("the end of both", || {
        for run in runs(&place).unwrap_or_default() {
            assert_ne!(run["state"]["kind"], "crashed", "{run}");
            assert_eq!(run["damage"], Value::Null, "{run}");
        }
        demos.iter_mut().all(|demo| demo.try_wait().unwrap().is_some()).then_some(())
    });
    let reports = demos.map(|demo| {
        let output = demo.wait_with_output().unwrap();
        assert!(crate::succeeded(&output), "{output:?}");
        json(&String::from_utf8(output.stdout).unwrap())
    });
    let all = runs(&place).unwrap();
    assert_eq!(all.len(), 4);
    for report in &reports {
        let run = all.iter().find(|run| run["id"] == report["run_id"]).unwrap();
        assert_eq!(run["seed"], report["seed"]);
        assert!(
            place
                .folder
                .path()
                .join(PathBuf::from(report["onnx_path"].as_str().unwrap()))
                .is_file()
        );
    }
}
