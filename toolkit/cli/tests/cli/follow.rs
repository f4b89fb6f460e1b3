//! `trainbook runs tail` and `trainbook runs history`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use trainbook::store::{EndState, Metric, RunEnd, RunEvent, RunStart, Store};

use crate::Place;

#[test]
fn a_tail_shows_what_comes_and_ends_with_the_run() {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let run = store.start_run(RunStart { model: "mlp".into(), ..RunStart::default() }).unwrap();
    run.log(1, &[Metric::new("loss", 0.5), Metric::new("lr", 1e-3)]);
    run.flush().unwrap();
    let id = run.id().to_string();
    let args = ["runs", "tail", &id, "--metric", "loss", "--store", "store"];
    let mut tail = place.trainbook(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "step       1  loss 0.5");
    run.log(2, &[Metric::new("loss", 0.25), Metric::new("lr", 1e-3)]);
    run.event(RunEvent::Note { text: "half way".into() });
    // Nobody asks for it to be flushed.
    assert_eq!(lines.next().unwrap(), "step       2  loss 0.25");
    assert_eq!(lines.next().unwrap(), "note: half way");
    run.finish(RunEnd::new(EndState::Finished, 2, 1)).unwrap();
    drop(run);
    let last = lines.next().unwrap();
    assert!(last.contains(&id) && last.contains("finished"), "{last}");
    assert_eq!(lines.next(), None);
    assert!(tail.wait().unwrap().success());

    let again = place.json(&["runs", "tail", &id, "--json", "--store", "store"]);
    assert_eq!(again["points"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&again["live"], &again["summary"]["state"]["kind"]),
        (&false.into(), &"finished".into())
    );
}

#[test]
fn a_history_is_thinned_out_and_keeps_its_peak() {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    // Long enough for the index to hold the curve.
    for step in 1..=100_000_u64 {
        run.log(step, &[Metric::new("loss", if step == 4321 { 99.0 } else { 1.0 / step as f64 })]);
    }
    run.finish(RunEnd::new(EndState::Finished, 100_000, 1)).unwrap();
    let id = run.id().to_string();
    drop(run);
    let history = |more: &[&str]| {
        place.text(&[&["runs", "history", &id, "loss", "--store", "store"], more].concat())
    };
    for _ in 0..2 {
        let text = history(&["--points", "20"]);
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(
            rows.contains(&vec!["4321", "99"]) && rows.contains(&vec!["100000", "1e-5"]),
            "{text}"
        );
        assert!(text.contains("of 100000 points, extremes kept"), "{text}");
    }
    let all = crate::json(&history(&["--points", "1000000", "--json"]));
    assert_eq!(all["points"].as_array().unwrap().len(), 100_000);
    place.refuses(
        &["runs", "history", &id, "los", "--store", "store"],
        &["\"los\"", "nearest is loss"],
    );
    place.refuses(&["runs", "tail", "nope", "--store", "store"], &["\"nope\"", "nearest id is 20"]);
}

#[test]
fn a_run_that_is_recorded_can_be_asked_to_stop() {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    let id = run.id().to_string();
    let stop = ["runs", "stop", &id, "--store", "store"];
    assert!(!run.is_asked_to_stop());
    let told = place.text(&stop);
    assert_eq!(told.trim_end(), format!("run {id} was asked to stop behind its step"));
    assert!(run.is_asked_to_stop());
    let json = place.json(&[&stop[..], &["--json"]].concat());
    assert_eq!(json["run"], id.as_str());
    drop(run);
    place.refuses(&stop, &["failed to stop run", "not running"]);
}
