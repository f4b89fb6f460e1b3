//! Where things are: relative paths, subfolders, and commands that work as they are printed.

use std::fs;
use std::process::Command;

use crate::{Place, text};

/// The commands under "Next:".
fn next(story: &str) -> Vec<String> {
    let lines = story.split_once("Next:\n").unwrap().1.lines();
    let commands: Vec<_> = lines
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.starts_with("notebooks/"))
        .collect();
    assert_eq!(commands.len(), 3, "{story}");
    commands
}

#[test]
fn the_nearest_store_above_is_used() {
    let place = Place::new();
    fs::create_dir_all(place.path("a/b")).unwrap();
    let runs = |folder: &str| {
        let mut list = place.trainbook(&["runs", "list", "--json"]);
        list.current_dir(place.path(folder));
        crate::json(&text(list))
    };
    place.text(&["demo", "--store", ".trainbook"]);
    let mut demo = place.trainbook(&["demo", "--onnx", "here.onnx"]);
    demo.current_dir(place.path("a/b"));
    let story = text(demo);
    assert!(!story.contains("--store"), "{story}");
    assert!(place.path("a/b/here.onnx").is_file());
    assert!(!place.path("a/b/.trainbook").exists());
    assert_eq!(runs("a/b").as_array().unwrap().len(), 4);
    assert_eq!(runs("a/b"), runs(""));
}

#[cfg(unix)]
#[test]
fn what_is_said_to_come_next_works_as_typed() {
    let place = Place::new();
    let story = place.text(&["demo", "--store", "it's a store"]);
    for command in next(&story) {
        let mut shell = Command::new("sh");
        shell.current_dir(place.folder.path()).args(["-c", &command]);
        let shown = text(shell);
        assert!(shown.lines().count() > 1, "{command}: {shown}");
    }
}

/// A PATH on which the program is `trainbook`, by a link in the place's folder `bin`.
#[cfg(unix)]
fn path_with_program(place: &Place) -> String {
    fs::create_dir(place.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_trainbook"), place.path("bin/trainbook"))
        .unwrap();
    format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap())
}

#[cfg(unix)]
#[test]
fn what_the_readme_says_works_as_typed() {
    let readme =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let commands: Vec<_> = readme.lines().filter(|line| line.starts_with("trainbook ")).collect();
    assert_eq!(commands.len(), 7, "{commands:?}");
    let place = Place::new();
    let path = path_with_program(&place);
    let report = place.json(&["demo", "--json", "--store", ".trainbook", "--onnx", "digits.onnx"]);
    fs::write(place.path("rows.csv"), vec!["0"; 64].join(",")).unwrap();
    for command in commands {
        let mut shell = Command::new("sh");
        shell.current_dir(place.folder.path()).env("PATH", &path);
        shell.args(["-c", &command.replace("RUN", report["run_id"].as_str().unwrap())]);
        let shown = text(shell);
        let about = if command.contains("tail") {
            "loss"
        } else if command.contains("predict") {
            "probability_9"
        } else {
            "digits"
        };
        assert!(shown.contains(about), "{command}: {shown}");
    }
}

#[cfg(unix)]
#[test]
fn the_program_is_named_as_it_was_called() {
    let place = Place::new();
    let path = path_with_program(&place);
    let begins = |mut command: Command, folder: &str, expected: &str| {
        command.current_dir(place.path(folder)).args(["demo", "--store", "store"]);
        for line in next(&text(command)) {
            assert!(line.starts_with(&format!("{expected} ")), "{line}");
        }
    };
    let mut by_name = Command::new("sh");
    by_name.env("PATH", path).args(["-c", "trainbook \"$@\"", "sh"]);
    begins(by_name, "", "trainbook");
    begins(
        Command::new(fs::canonicalize(place.path("bin")).unwrap().join("trainbook")),
        "",
        "bin/trainbook",
    );
    begins(
        Command::new(fs::canonicalize(place.path("bin")).unwrap().join("trainbook")),
        "bin",
        "./trainbook",
    );
}
