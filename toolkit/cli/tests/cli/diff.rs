//! `trainbook runs diff` on real runs.

use serde_json::{Value, json};

use crate::Place;

fn demo(place: &Place, seed: &str) -> String {
    let report = place.json(&["demo", "--json", "--seed", seed, "--store", "store"]);
    report["run_id"].as_str().unwrap().to_owned()
}

fn causes(diff: &Value) -> Vec<&str> {
    diff["causes"].as_array().unwrap().iter().map(|cause| cause["path"].as_str().unwrap()).collect()
}

#[test]
fn a_repetition_is_the_same_and_another_seed_is_not() {
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
    assert!(
        circumstances.iter().any(|difference| difference["path"] == "environment.process_id"),
        "{same}"
    );
    let text = place.text(&["runs", "diff", &one, &again, "--store", "store"]);
    assert!(text.contains("nothing differs: the results are the same bit for bit"), "{text}");

    // The seed also splits the data, and another split suggests another learning rate: nobody may
    // call it one variable.
    let seeds = diff(&one, &other);
    assert_eq!(causes(&seeds), ["params.lr", "seed", "data.hash"], "{seeds}");
    assert_eq!((&seeds["causes"][1]["a"], &seeds["causes"][1]["b"]), (&json!(1), &json!(2)));
    // Other weights from the first step on.
    let loss = seeds["divergences"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["metric"] == "loss")
        .unwrap();
    assert_eq!(loss["step"], 1, "{loss}");
    let text = place.text(&["runs", "diff", &one, &other, "--store", "store"]);
    for part in [
        "3 causes differ, in settings, data (their command lines differ too)",
        "\nsettings\n",
        "part at step 1:",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }

    // A baseline is another model on the same data.
    let list = place.json(&[
        "runs",
        "query",
        "tags.role = 'baseline' and seed = 2",
        "--json",
        "--store",
        "store",
    ]);
    let models = diff(&other, list[0]["id"].as_str().unwrap());
    let paths = causes(&models);
    assert!(
        paths.contains(&"network.layers.0.out_features")
            && paths.contains(&"tags.role")
            && !paths.contains(&"data.hash"),
        "{paths:?}"
    );

    place.refuses(
        &["runs", "diff", &one, "nope", "--store", "store"],
        &["\"nope\"", "nearest id is 20"],
    );
    place.refuses(&["runs", "diff", &one, "--store", "store"], &["missing <B>", "--help"]);
}
