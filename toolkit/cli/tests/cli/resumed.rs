//! A run that was interrupted goes on from the shell, and options stand wherever they are written.

use std::fs;

use trainbook::history::Store;
use trainbook::prelude::*;
use trainbook::store::{RunStart, Value};

use crate::{Place, digits_like, json, text};

#[test]
fn a_stopped_run_goes_on_to_the_end_that_it_would_have_come_to() {
    let place = Place::new();
    fs::write(place.path("digits.csv"), digits_like(200)).unwrap();
    let store = Store::open(place.path(".trainbook")).unwrap();
    // Paths are recorded as they are given, and commands run in the place's folder.
    let data = Dataset::csv(place.path("digits.csv")).unwrap().target(Column::last()).unwrap();
    let data = data.split(Split::random(0.7, 0.2, 0.1), Seed(1)).unwrap();
    let trainer = || {
        let net = Sequential::new().linear(16).relu().dropout(0.2).linear(10);
        let trainer = Trainer::classifier(&data, net).seed(1).store(&store).quiet();
        trainer.with(LrSchedule::one_cycle(0.01))
    };
    let whole = trainer().build().unwrap().fit(Epochs(4)).unwrap();
    let mut cut = trainer().with(Budget::steps(7)).name("cut").build().unwrap();
    let cut = cut.fit(Epochs(4)).unwrap();
    let id = cut.id().unwrap().to_string();
    assert_eq!(cut.stopped_because().detail, "7 steps done of 7");

    // The budget was for that run.
    let shown = place.json(&["runs", "resume", &id, "--json"]);
    assert_eq!(shown["summary"]["parent"]["run"], id.as_str());
    assert_eq!(shown["summary"]["state"]["kind"], "finished", "{shown}");
    let resumed = store.run(shown["summary"]["id"].as_str().unwrap()).unwrap();
    assert_eq!(resumed.load().unwrap().weights_sha256(), whole.weights_sha256());

    let stop = on_step_end(|step| {
        let stops = step.counters.updates_applied == 6;
        Ok(if stops { Flow::stop("enough") } else { Flow::Continue })
    });
    let stopped = trainer().with(stop).build().unwrap().fit(Epochs(4)).unwrap();
    let id = stopped.id().unwrap().to_string();
    let story = place.text(&["runs", "resume", &id]);
    assert!(story.contains("val_loss"), "{story}");
    assert!(story.contains(&format!("resumed run {id} at step 6")), "{story}");
    let resumed = store.query(&format!("parent = '{id}'")).unwrap();
    let resumed = store.run(resumed[0].id.as_str()).unwrap();
    assert_eq!(resumed.load().unwrap().weights_sha256(), whole.weights_sha256());

    place.refuses(&["runs", "resume", resumed.summary.id.as_str()], &["has finished"]);
    place.refuses(&["runs", "resume", "nope"], &["\"nope\""]);

    // The weights alone.
    let said =
        place.text(&["runs", "weights", resumed.summary.id.as_str(), "-o", "w/net.safetensors"]);
    assert!(said.contains("net.safetensors with 4 tensors"), "{said}");
    let mut other = trainer().build().unwrap();
    let report = other.load_weights(place.path("w/net.safetensors")).unwrap();
    assert_eq!(report.loaded.len(), 4);
    place.refuses(&["runs", "weights", &id, "-o", "w", "--json"], &["--json", "left out"]);
}

#[test]
fn options_stand_before_and_behind_commands_and_in_the_environment() {
    let place = Place::new();
    place.text(&["demo", "--store", "elsewhere"]);
    let expected = place.json(&["runs", "list", "--store", "elsewhere", "--json"]);
    assert_eq!(expected.as_array().unwrap().len(), 2);
    for arguments in [
        &["--store", "elsewhere", "--json", "runs", "list"][..],
        &["runs", "--store", "elsewhere", "list", "--json"],
        &["runs", "--json", "list", "--store", "elsewhere"],
        &["--json", "runs", "--store", "elsewhere", "query", "seed >= 0"],
    ] {
        assert_eq!(place.json(arguments), expected, "{arguments:?}");
    }
    let with_variable = |arguments: &[&str]| {
        let mut command = place.trainbook(arguments);
        command.env("TRAINBOOK_STORE", "elsewhere");
        command
    };
    assert_eq!(json(&text(with_variable(&["runs", "list", "--json"]))), expected);
    // What is typed wins; an empty variable is none.
    let typed = with_variable(&["runs", "list", "--store", "nowhere"]).output().unwrap();
    assert!(!typed.status.success());
    assert!(String::from_utf8_lossy(&typed.stderr).contains("nowhere"));
    let mut empty = place.trainbook(&["runs", "list", "--store", "elsewhere", "--json"]);
    empty.env("TRAINBOOK_STORE", "");
    assert_eq!(json(&text(empty)), expected);

    let id = expected[0]["id"].as_str().unwrap();
    place.refuses(
        &["--json", "runs", "predict", id, "rows.csv", "--store", "elsewhere"],
        &["--json", "predictions are a CSV table"],
    );
}

#[test]
fn a_query_says_which_runs_it_passed_over() {
    let place = Place::new();
    let store = Store::open(place.path(".trainbook")).unwrap();
    for opt in [Value::from("sgd"), Value::from(3)] {
        let params = [("opt".into(), opt)].into();
        drop(store.start_run(RunStart { params, ..RunStart::default() }).unwrap());
    }
    let asked = |query: &str, more: &[&str]| {
        let query = [&["runs", "query", query, "--csv"][..], more].concat();
        let output = place.trainbook(&query).output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 2);
        String::from_utf8(output.stderr).unwrap()
    };
    let query = |query: &str| asked(query, &[]);
    assert_eq!(asked("params.opt = 'sgd'", &["--quiet"]), "");
    assert_eq!(
        query("params.opt = 'sgd'"),
        "note: 1 run was passed over: its `params.opt` is a number, and the query asks for a text\n"
    );
    let runs = store.query("params.opt = 'sgd'").unwrap();
    assert_eq!((runs.len(), runs.remarks().len()), (1, 1));
    assert!(runs.view().text.ends_with("the query asks for a text\n"));
    assert!(store.query("params.opt is not null").unwrap().remarks().is_empty());
}
