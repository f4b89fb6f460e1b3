//! `trainbook runs diff` on real runs.

use serde_json::{Value, json};

use crate::Place;

fn demo(place: &Place, seed: &str) -> String {
    let report = place.json(&["demo", "--json", "--seed", seed, "--store", "store"]);
    report["run_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_repetition_is_the_same_and_a_seed_is_the_one_variable() {
    let place = Place::new();
    let [one, again, other] = ["1", "1", "2"].map(|seed| demo(&place, seed));
    let diff = |a: &str, b: &str| place.json(&["runs", "diff", a, b, "--json", "--store", "store"]);

    let same = diff(&one, &again);
    for empty in ["causes", "results", "divergences", "not_known"] {
        assert_eq!(same[empty], json!([]), "{empty}: {same}");
    }
    let circumstances = same["circumstances"].as_array().unwrap();
    let id = circumstances.iter().find(|difference| difference["path"] == "id").unwrap();
    assert_eq!((&id["a"], &id["b"]), (&json!(one), &json!(again)));
    assert!(circumstances.iter().any(|difference| difference["path"] == "environment.process_id"), "{same}");
    let text = place.text(&["runs", "diff", &one, &again, "--store", "store"]);
    assert!(text.contains("nothing differs: the results are the same bit for bit"), "{text}");

    let seeds = diff(&one, &other);
    let causes = json!([{ "path": "seed", "group": "settings", "a": 1, "b": 2 }]);
    assert_eq!(seeds["causes"], causes, "{seeds}");
    // Other weights from the first step on.
    let loss = seeds["divergences"].as_array().unwrap().iter().find(|found| found["metric"] == "loss").unwrap();
    assert_eq!(loss["step"], 1, "{loss}");
    let text = place.text(&["runs", "diff", &one, &other, "--store", "store"]);
    for part in ["only seed differs (their command lines differ too)", "\nsettings\n  seed  1  2\n", "part at step 1:"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }

    // A baseline is another model with other settings.
    let list = place.json(&["runs", "query", "tags.role = 'baseline'", "--json", "--store", "store"]);
    let baseline = list[0]["id"].as_str().unwrap();
    let models = diff(&one, baseline);
    let paths: Vec<&Value> = models["causes"].as_array().unwrap().iter().map(|cause| &cause["path"]).collect();
    assert!(paths.contains(&&json!("model")) && paths.contains(&&json!("tags.role")), "{paths:?}");
    assert!(place.text(&["runs", "diff", &one, baseline, "--store", "store"]).contains("causes differ, in settings"));

    place.refuses(&["runs", "diff", &one, "nope", "--store", "store"], &["\"nope\"", "nearest id is 20"]);
    place.refuses(&["runs", "diff", &one, "--store", "store"], &["missing <B>", "--help"]);
}
