//! Pulling from a file system that nobody can write, and into one that is full.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::path::Path;
use std::process::Command;

use common::finished;
use common::other::task;
use trainbook_store::{EndState, RunEnd, RunEvent, RunStart, Store, StoreError, Wanted};

/// Runs this program's test `child` after `mount`, of which `$1` is a folder; it is left out where
/// the system allows no namespaces.
fn with_mount(task: &str, folder: &Path, mount: &str) {
    let mut shell = Command::new("unshare");
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    shell.arg(format!("{{ {mount}; }} || exit 77; exec \"$0\" --exact child --nocapture"));
    shell.arg(std::env::current_exe().unwrap()).arg(folder);
    common::other::give_task(&mut shell, task, folder);
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || text.contains("unshare failed") {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount: {text}");
        eprintln!("not tested: this system lets nobody mount: {text}");
        return;
    }
    assert!(output.status.success() && text.contains("child reached its end"), "{text}");
}

#[test]
fn child() {
    let Some((task, folder)) = task() else { return };
    match task.as_str() {
        "read-only" => read_only(Path::new(&folder)),
        "full" => full(Path::new(&folder)),
        task => unreachable!("{task}"),
    }
    println!("child reached its end");
}

fn with_checkpoint(store: &Store, bytes: usize) -> String {
    let run = store.start_run(RunStart::default()).unwrap();
    let object = store.put_object(&vec![7; bytes]).unwrap();
    let label = "last".to_owned();
    run.event(RunEvent::Checkpoint { label, step: 1, epoch: 1, object, metric: None });
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    run.id().to_string()
}

fn read_only(folder: &Path) {
    let from = Store::open_existing(folder.join("there")).unwrap();
    assert!(Store::open(folder.join("there")).is_err(), "it can be written");
    let store = Store::open(folder.join("here")).unwrap();
    let pulled = store.pull(&from, &Wanted::Query("metrics.loss.min < 1".into())).unwrap();
    assert_eq!((pulled.runs.len(), pulled.left_out.len()), (1, 0), "{pulled}");
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((pulled.runs.len(), pulled.known, pulled.left_out.len()), (1, 1, 0), "{pulled}");
}

#[test]
fn a_store_that_nobody_can_write_is_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let from = Store::open(folder.path().join("there")).unwrap();
    finished(&from, "mlp", 0.5);
    with_checkpoint(&from, 100);
    let mount = "mount --bind \"$1/there\" \"$1/there\" && mount -o remount,bind,ro \"$1/there\"";
    with_mount("read-only", folder.path(), mount);
}

/// Room for the first run, and not for the second one's checkpoint.
fn full(folder: &Path) {
    let from = Store::open_existing(folder.join("there")).unwrap();
    let here = folder.join("here");
    let store = Store::open(&here).unwrap();
    let error = store.pull(&from, &Wanted::All).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("write ") && text.contains("No space left on device"), "{text}");
    let runs = store.runs().unwrap();
    assert_eq!((runs.len(), &runs[0].damage), (1, &None));
    let mut left = Vec::new();
    for place in ["runs", "objects"] {
        let found = Command::new("find").arg(here.join(place)).args(["-type", "f"]).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        left.extend(found.lines().map(str::to_owned));
    }
    let is_temporary = |path: &String| path.rsplit('/').next().unwrap().starts_with(".tmp");
    // Its journal and its checkpoint, and nothing half there.
    assert!(left.len() == 2 && !left.iter().any(is_temporary), "{left:?}");
    // There is room again.
    std::fs::remove_file(here.join("ballast")).unwrap();
    assert_eq!(store.pull(&from, &Wanted::All).unwrap().runs.len(), 1);
    assert_eq!(store.runs().unwrap().len(), 2);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let from = Store::open(folder.path().join("there")).unwrap();
    with_checkpoint(&from, 1000);
    // The ids tell seconds apart, and runs are pulled oldest first.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    with_checkpoint(&from, 2 << 20);
    std::fs::create_dir(folder.path().join("here")).unwrap();
    let mount = "mount -t tmpfs -o size=4m tmpfs \"$1/here\" && head -c 2600000 /dev/zero >\"$1/here/ballast\"";
    with_mount("full", folder.path(), mount);
}
