//! Standard output that nobody reads, or that is full.

use std::process::Stdio;

use crate::Place;

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    for args in [
        &["demo", "--store", "store"][..],
        &["demo", "--json", "--store", "store"],
        &["runs", "list", "--store", "store"],
        &["runs", "query", "seed = 1", "--json", "--store", "store"],
        &["--help"],
    ] {
        let mut child =
            place.trainbook(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(crate::succeeded(&output), "{args:?}: {output:?}");
    }
    let runs = place.json(&["runs", "list", "--json", "--store", "store"]);
    assert_eq!(runs.as_array().unwrap().len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let place = Place::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for args in [&["demo", "--store", "text"][..], &["demo", "--json", "--store", "json"]] {
        let output = place.trainbook(args).stdout(full()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.starts_with("error: failed to write standard output: No space left"),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(
        place.json(&["runs", "list", "--json", "--store", "text"]).as_array().unwrap().len(),
        0
    );
    assert_eq!(
        place.json(&["runs", "query", "state = 'finished'", "--json", "--store", "json"])[0]["epochs"],
        30
    );
}
