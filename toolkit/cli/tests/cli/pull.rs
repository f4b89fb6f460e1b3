//! `trainbook runs pull`.

use std::fs;

use serde_json::json;
use trainbook::store::{EndState, Metric, ObjectId, RunEnd, RunEvent, RunStart, Store};

use crate::{Place, files};

/// A finished run with a checkpoint.
fn run(store: &Store, seed: u64) -> (String, ObjectId) {
    let run = store.start_run(RunStart { seed, ..RunStart::default() }).unwrap();
    run.log(1, &[Metric::new("loss", seed as f64)]);
    let object = store.put_object(format!("weights {seed}").as_bytes()).unwrap();
    let (label, metric) = ("last".to_owned(), None);
    run.event(RunEvent::Checkpoint { label, step: 1, epoch: 1, object, metric });
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    (run.id().to_string(), object)
}

#[test]
fn runs_of_another_store_come_once() {
    let place = Place::new();
    let there = Store::open(place.path("elsewhere/.trainbook")).unwrap();
    let runs: Vec<(String, ObjectId)> = (1..=3).map(|seed| run(&there, seed)).collect();
    let pull = |args: &[&str]| {
        place.json(&[&["runs", "pull", "--json", "--store", "store"], args].concat())
    };
    fs::remove_dir_all(place.path("elsewhere/.trainbook/index")).unwrap();
    // There is no store yet.
    let one = pull(&["elsewhere", &runs[1].0[..21]]);
    assert_eq!((&one["runs"], &one["objects"]), (&json!([runs[1].0]), &json!(1)));
    let query = pull(&["elsewhere/.trainbook", "--query", "seed = 3"]);
    assert_eq!(query["runs"], json!([runs[2].0]));
    // The other store is only read.
    assert!(!place.path("elsewhere/.trainbook/index").exists());
    let living = there.start_run(RunStart::default()).unwrap();
    let rest = ["runs", "pull", "elsewhere", "--store", "store"];
    let text = place.text(&rest);
    assert!(text.starts_with("pulled 1 run and 1 object, "), "{text}");
    let left = format!("; 2 were here already\nleft out {}: it is being written\n", living.id());
    assert!(text.ends_with(&left), "{text}");
    let before = files(place.folder.path());
    assert!(place.text(&rest).starts_with("nothing new; 3 were here already\n"));
    assert_eq!(files(place.folder.path()), before);
    let store = Store::open_existing(place.path("store")).unwrap();
    for (id, object) in &runs {
        assert_eq!(store.run(id).unwrap(), there.run(id).unwrap());
        assert_eq!(store.get_object(object).unwrap(), there.get_object(object).unwrap());
    }
}

#[test]
fn what_cannot_be_pulled_is_refused() {
    let place = Place::new();
    let there = Store::open(place.path("elsewhere")).unwrap();
    let (id, _) = run(&there, 1);
    Store::open(place.path("store")).unwrap();
    let refuses = |args: &[&str], words: &[&str]| {
        place.refuses(&[&["runs", "pull", "--store", "store"], args].concat(), words);
    };
    refuses(&[], &["missing <DIR>"]);
    refuses(&["none"], &["none", "no store there"]);
    refuses(&["elsewhere", "nope"], &["\"nope\"", &id]);
    refuses(&["elsewhere", &id, "--query", "seed = 1"], &["--query"]);
    refuses(&["store"], &["this very store"]);
    // What is not to be had there leaves no store here.
    let new = ["runs", "pull", "--store", "new", "elsewhere"];
    place.refuses(&[&new[..], &["nope"]].concat(), &["\"nope\"", &id]);
    let query = [&new[..], &["--query", "params.nope = 1"]].concat();
    let output = place.trainbook(&query).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("no run has a parameter `nope`"), "{error}");
    assert!(!place.path("new").exists());
    place.text(&["runs", "pull", "elsewhere", "--store", "store"]);
    let journal = place.path("store/runs").join(format!("{id}.log"));
    let mut bytes = fs::read(&journal).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&journal, bytes).unwrap();
    refuses(&["elsewhere"], &[&id, "another run of that id"]);
}
