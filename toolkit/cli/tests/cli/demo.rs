//! `trainbook demo` on the shipped digits.

use serde_json::Value;

use crate::{Place, json, text};

const KEYS: [&str; 14] = [
    "run_id",
    "seed",
    "learning_rate",
    "epochs",
    "stopped_because",
    "test_accuracy",
    "baseline_accuracy",
    "seconds_training",
    "weights_sha256",
    "onnx_path",
    "onnx_graph_sha256",
    "ort_version",
    "ort_max_abs_diff",
    "ort_test_accuracy",
];

/// What must not change when nothing that matters changes.
fn result(report: &Value) -> [&Value; 6] {
    [
        "learning_rate",
        "epochs",
        "test_accuracy",
        "baseline_accuracy",
        "weights_sha256",
        "onnx_graph_sha256",
    ]
    .map(|key| &report[key])
}

#[test]
fn the_report_holds_what_is_promised() {
    let place = Place::new();
    let report = place.json(&[
        "demo",
        "--json",
        "--seed",
        "1",
        "--store",
        "store",
        "--onnx",
        "out/digits.onnx",
    ]);
    for key in KEYS {
        assert!(!report[key].is_null(), "{key} is missing in {report}");
    }
    assert_eq!(report["seed"], 1);
    assert_eq!(report["onnx_path"], "out/digits.onnx");
    assert!(report["test_accuracy"].as_f64().unwrap() > 0.95, "{report}");
    assert_eq!(report["ort_test_accuracy"], report["test_accuracy"]);
    assert!(report["ort_max_abs_diff"].as_f64().unwrap() < 1e-5, "{report}");
    for key in ["weights_sha256", "onnx_graph_sha256"] {
        assert_eq!(report[key].as_str().unwrap().len(), 64, "{key}");
    }
    let left: Vec<_> =
        place.path("out").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["digits.onnx"]);
}

#[test]
fn a_seed_gives_one_result_whatever_the_number_of_threads() {
    let place = Place::new();
    let demo = |seed: &str, threads: &str| {
        let mut command = place.trainbook(&["demo", "--json", "--seed", seed, "--store", "store"]);
        command.env("RAYON_NUM_THREADS", threads);
        json(&text(command))
    };
    let (one, two, other) = (demo("1", "1"), demo("1", "2"), demo("2", "2"));
    assert_eq!(result(&one), result(&two));
    assert_ne!(one["run_id"], two["run_id"]);
    for key in ["weights_sha256", "onnx_graph_sha256"] {
        assert_ne!(one[key], other[key], "{key}");
    }
    let runs = place.json(&["runs", "list", "--json", "--store", "store"]);
    assert_eq!(runs.as_array().unwrap().len(), 6, "a baseline and a network each time");
}

#[test]
fn the_text_tells_the_same_story() {
    let place = Place::new();
    let story = place.text(&["demo", "--store", "store"]);
    let mut rest = story.as_str();
    for part in [
        "1. Is the data right?",
        "verdict      ok",
        "2. What does the simplest model reach?",
        "logistic regression",
        "3. Which learning rate?",
        "suggested learning rate",
        "4. Train.",
        "EarlyStopping",
        "val_accuracy",
        "5. How good is it on rows that nothing has touched?",
        "of the test part",
        "6. Does ONNX Runtime compute the same?",
        "proved in     ONNX Runtime",
        "is in store",
        "Next:",
    ] {
        rest = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("{part:?} is not where it should be in\n{story}"))
            .1;
    }
    assert!(!story.contains("/.."), "a path is shown with a detour:\n{story}");
    assert!(
        story
            .lines()
            .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
            .count()
            > 20
    );
}

#[test]
fn other_data_can_be_given() {
    let place = Place::new();
    std::fs::write(place.path("mine.csv"), crate::digits_like(600)).unwrap();
    let report = place.json(&["demo", "--json", "--data", "mine.csv", "--store", "store"]);
    assert_eq!(report["test_rows"], 60);
    assert!(report["test_accuracy"].as_f64().unwrap() > 0.5, "{report}");
}

#[test]
fn quiet_leaves_the_end_of_the_story() {
    let place = Place::new();
    let told = place.text(&["demo", "--quiet", "--store", "store"]);
    assert!(told.starts_with("Run ") && told.contains("Next:"), "{told}");
    assert!(!told.contains("4. Train."), "{told}");
}
