//! `trainbook ort`: which ONNX Runtime is used, and how one is fetched.

use std::fs;
use std::process::Command;

use crate::{Place, json, text};

/// The program in a place of its own, away from the repository, whose .cache it would find above
/// itself; without a home, Python or variable.
fn bare(place: &Place, args: &[&str]) -> Command {
    let program = place.path(&format!("trainbook{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_trainbook"), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.current_dir(place.folder.path()).args(args);
    for name in ["ORT_DYLIB_PATH", "HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"] {
        command.env_remove(name);
    }
    command.env("PATH", "");
    command
}

/// A `python3` that does what a shell is told.
#[cfg(unix)]
fn with_python(place: &Place, args: &[&str], script: &str) -> Command {
    use std::os::unix::fs::PermissionsExt;
    let python = place.path("bin/python3");
    fs::create_dir_all(place.path("bin")).unwrap();
    fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = bare(place, args);
    command.env("PATH", place.path("bin")).env("HOME", place.folder.path());
    command
}

fn system_has_one(place: &Place) -> bool {
    let output = bare(place, &["ort", "show", "--json"]).output().unwrap();
    let has = output.status.success()
        && json(&String::from_utf8(output.stdout).unwrap())["source"] == "system";
    if has {
        eprintln!("not tested: this system has an ONNX Runtime");
    }
    has
}

#[test]
fn the_library_in_the_variable_is_shown() {
    let place = Place::new();
    let library = trainbook::onnx::find(None).unwrap().path;
    let show = |args: &[&str]| {
        let mut command = bare(&place, args);
        command.env("ORT_DYLIB_PATH", &library);
        text(command)
    };
    let shown = show(&["ort", "show"]);
    assert!(
        shown.starts_with("ONNX Runtime 1.") && shown.contains(&library.display().to_string()),
        "{shown}"
    );
    assert!(
        shown.contains("2. ORT_DYLIB_PATH: used") && shown.contains("6. the system: not looked at"),
        "{shown}"
    );
    let shown = json(&show(&["ort", "show", "--json"]));
    assert_eq!(
        (&shown["source"], &shown["path"]),
        (&"variable".into(), &library.display().to_string().into())
    );
    assert_eq!(shown["order"].as_array().unwrap().len(), 6);
    assert_eq!(shown["passed"][0]["source"], "explicit");
}

#[test]
fn without_any_it_says_where_it_looked_and_what_to_do() {
    let place = Place::new();
    if system_has_one(&place) {
        return;
    }
    let words = [
        "load ONNX Runtime",
        "ORT_DYLIB_PATH: not set",
        "no python3 on PATH",
        "`trainbook ort install`",
    ];
    for args in
        [["ort", "show"].as_slice(), &["ort", "show", "--json"], &["demo", "--store", "store"]]
    {
        let command = bare(&place, args);
        place.refuses_as(command, &words);
    }
    let mut command = bare(&place, &["ort", "show"]);
    command.env("ORT_DYLIB_PATH", "/no/such.so");
    place.refuses_as(command, &["ORT_DYLIB_PATH=/no/such.so"]);
}

/// It is asked where the package is, and answers with a folder whose library is too old.
#[cfg(target_os = "linux")]
#[test]
fn a_python_with_an_old_onnxruntime_is_passed_over() {
    let place = Place::new();
    if system_has_one(&place) {
        return;
    }
    fs::create_dir_all(place.path("onnxruntime/capi")).unwrap();
    fs::write(place.path("onnxruntime/capi/libonnxruntime.so.1.20.0"), "").unwrap();
    let script = format!("echo '{}'", place.path("onnxruntime").display());
    let command = with_python(&place, &["ort", "show"], &script);
    place.refuses_as(
        command,
        &["Python's onnxruntime: ", "libonnxruntime.so.1.20.0 is version 1.20.0; at least 1.24"],
    );
    let command = with_python(&place, &["ort", "show"], "exit 3");
    place.refuses_as(command, &["does not say what it has (exit status: 3)"]);
}

#[cfg(unix)]
#[test]
fn an_installation_that_fails_leaves_nothing() {
    let place = Place::new();
    let install = ["ort", "install"];
    let mut command = bare(&place, &install);
    place.refuses_as(command, &["install ONNX Runtime: ", "HOME"]);
    command = bare(&place, &install);
    command.env("HOME", place.folder.path());
    place.refuses_as(command, &["there is no python3"]);
    for (script, words) in [
        ("echo 'python3 has no pip' >&2; exit 1", "install ONNX Runtime: python3 has no pip"),
        ("exit 7", "exit status: 7"),
        ("exit 0", "it did not"),
        (
            "for file; do :; done; echo something > \"$file\"",
            "is not the known library: its SHA-256 is",
        ),
    ] {
        command = with_python(&place, &install, script);
        place.refuses_as(command, &[words]);
    }
    command = with_python(&place, &install, "exit 0");
    fs::write(place.path("file"), "").unwrap();
    command.env("XDG_CACHE_HOME", place.path("file"));
    place.refuses_as(
        command,
        &["file/trainbook/onnxruntime-", "cannot be written", "XDG_CACHE_HOME"],
    );
}

/// Permission bits do not stop root, but this file system stops everybody.
#[cfg(target_os = "linux")]
#[test]
fn a_cache_that_nobody_may_write_to() {
    let place = Place::new();
    let mut command = with_python(&place, &["ort", "install", "--force"], "exit 0");
    command.env("XDG_CACHE_HOME", "/proc");
    place.refuses_as(command, &["/proc/trainbook/onnxruntime-", "that you may write to"]);
}
