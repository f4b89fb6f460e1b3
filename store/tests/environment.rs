//! What a run records of where it ran, and what it must not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use trainbook_store::{EndState, Environment, RunEnd, RunStart, Store};

const STORE: &str = "TRAINBOOK_TEST_STORE";

/// Records a run, in the process that [`record`] starts.
#[test]
fn child() {
    let Ok(store) = std::env::var(STORE) else { return };
    let run = Store::open(store).unwrap();
    let run = run
        .start_run(RunStart { environment: Environment::capture(), ..RunStart::default() })
        .unwrap();
    run.finish(RunEnd::new(EndState::Finished, 0, 0)).unwrap();
}

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
    ]);
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
}

/// What a process records that runs in `folder` with these variables.
fn record(folder: &Path, variables: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let store = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--skip", "--password=hunter2-argument"]);
    command.current_dir(folder).env(STORE, store.path()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let opened = Store::open(store.path()).unwrap();
    let run = opened.runs().unwrap().remove(0);
    let environment = opened.run(run.id.as_str()).unwrap().environment;
    (store, environment)
}

/// Every file of the store in which this text stands.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn secrets_are_nowhere_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    git(
        folder.path(),
        &["remote", "add", "origin", "https://me:hunter2-remote@example.invalid/x.git"],
    );
    git(folder.path(), &["config", "http.extraHeader", "hunter2-header"]);
    fs::write(folder.path().join("train.rs"), "one\n").unwrap();
    fs::write(folder.path().join(".env"), "TOKEN=hunter2-file\n").unwrap();
    git(folder.path(), &["add", "train.rs"]);
    git(folder.path(), &["commit", "-qm", "a"]);
    fs::write(folder.path().join("train.rs"), "two\n").unwrap();
    let (store, environment) = record(
        folder.path(),
        &[
            ("API_TOKEN", "hunter2-variable"),
            ("GIT_ASKPASS", "hunter2-askpass"),
            ("OMP_NUM_THREADS", "3"),
        ],
    );
    assert_eq!(holding(store.path(), "hunter2"), [] as [String; 0]);

    // The rest is there, so the search would have found it.
    assert_eq!(environment.git_commit.as_ref().map(String::len), Some(40), "{environment:?}");
    assert_eq!(environment.git_untracked, [".env"]);
    assert_eq!(environment.variables["OMP_NUM_THREADS"], "3");
    assert!(environment.command_line.contains(&"--password=***".to_owned()), "{environment:?}");
    let opened = Store::open(store.path()).unwrap();
    let diff =
        String::from_utf8(opened.get_object(&environment.git_diff.unwrap()).unwrap()).unwrap();
    assert!(diff.contains("-one\n+two\n"), "{diff}");
    assert_eq!(holding(store.path(), "-one\n+two\n").len(), 1);
    assert!(!holding(store.path(), "OMP_NUM_THREADS").is_empty());
}

#[test]
fn every_way_that_git_can_fail_leaves_a_run_that_says_so() {
    let plain = tempfile::tempdir().unwrap();
    let (_store, environment) = record(plain.path(), &[]);
    assert_eq!(
        (environment.git_commit, environment.git_dirty, environment.git_diff),
        (None, None, None)
    );
    assert!(
        environment.unknown.is_empty(),
        "there is no repository to know: {:?}",
        environment.unknown
    );

    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    fs::write(folder.path().join("a"), "one\n").unwrap();
    git(folder.path(), &["add", "a"]);
    git(folder.path(), &["commit", "-qm", "a"]);
    let why = |variables: &[(&str, &str)]| {
        let (_store, environment) = record(folder.path(), variables);
        assert_eq!((&environment.git_commit, environment.git_dirty), (&None, None));
        environment.unknown["git_commit"].clone()
    };
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(why(&[("PATH", empty.path().to_str().unwrap())]), "git is not installed");
    // What git's own tests use to pretend that the repository is another user's.
    let other = [("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")];
    assert!(why(&other).contains("safe.directory"), "{}", why(&other));
    // Inside a hook, git would name another repository.
    let (_store, environment) =
        record(folder.path(), &[("GIT_DIR", empty.path().to_str().unwrap())]);
    assert_eq!(environment.git_dirty, Some(false), "{:?}", environment.unknown);
}

#[test]
fn a_notebook_is_recorded_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("first.ipynb"), "{\"cells\": []}").unwrap();
    // An older server counts from its own folder.
    let (store, environment) = record(folder.path(), &[("JPY_SESSION_NAME", "work/first.ipynb")]);
    assert_eq!(environment.notebook.as_deref(), Some("work/first.ipynb"));
    let opened = Store::open(store.path()).unwrap();
    assert_eq!(opened.get_object(&environment.notebook_file.unwrap()).unwrap(), b"{\"cells\": []}");
    // No kernel loaded a cell here.
    assert_eq!((environment.notebook_cell, environment.unknown.len()), (None, 0));
}
