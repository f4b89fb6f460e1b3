//! What a demo leaves behind, seen through `trainbook runs` and `trainbook onnx`.

use std::fs;

use serde_json::Value;

use crate::Place;

#[test]
fn list_show_and_query_agree_with_the_demo() {
    let place = Place::new();
    let report = place.json(&["demo", "--json", "--store", "store"]);
    let id = report["run_id"].as_str().unwrap();
    let runs =
        |args: &[&str]| place.json(&[&["runs"], args, &["--json", "--store", "store"]].concat());

    let list = runs(&["list"]);
    let of = |role: &str| -> Value {
        let mut found = list.as_array().unwrap().iter().filter(|run| run["tags"]["role"] == role);
        let run = found.next().unwrap().clone();
        assert!(found.next().is_none());
        run
    };
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(of("baseline")["id"], report["baseline_run_id"]);
    let summary = of("demo");
    assert_eq!(summary["id"], id);
    assert_eq!(summary["seed"], report["seed"]);
    assert_eq!(summary["epochs"], report["epochs"]);
    assert_eq!(summary["metrics"]["test_accuracy"]["last"], report["test_accuracy"]);

    let record = runs(&["show", id]);
    assert_eq!(record["summary"], summary);
    assert_eq!(
        record["series"]["val_loss"].as_array().unwrap().len() as u64,
        report["epochs"].as_u64().unwrap()
    );
    assert!(record["events"].to_string().contains(report["onnx_graph_sha256"].as_str().unwrap()));

    let found = runs(&["query", "tags.role = 'demo' and metrics.val_accuracy.max > 0.9"]);
    assert_eq!(found, Value::Array(vec![summary]));
    assert_eq!(runs(&["query", "seed = 99"]), Value::Array(vec![]));

    for words in [vec!["list"], vec!["show", id], vec!["query", "tags.role = 'demo'"]] {
        let text = place.text(&[&["runs"], &words[..], &["--store", "store"]].concat());
        assert!(text.contains(id) && text.contains("MLP 64-128-64-10"), "{text}");
    }

    let other = report["baseline_run_id"].as_str().unwrap();
    let prefix = (1..=id.len())
        .map(|length| &id[..length])
        .find(|prefix| !other.starts_with(prefix))
        .unwrap();
    assert_eq!(runs(&["show", prefix]), record);
    let ambiguous = &prefix[..prefix.len() - 1];
    place.refuses(
        &["runs", "show", ambiguous, "--store", "store"],
        &[ambiguous, id, other, "give more of the id"],
    );
    place.refuses(&["runs", "show", "nope", "--store", "store"], &["\"nope\"", "nearest id is 20"]);
    let typo = format!("{}x", &id[..id.len() - 1]);
    place.refuses(&["runs", "show", &typo, "--store", "store"], &[&typo, "nearest", id]);
    place.refuses(&["runs", "show", "", "--store", "store"], &["<RUN>"]);

    place.text(&["runs", "show", id, "--store", "store", "--svg", "pictures/run.svg"]);
    let svg = fs::read_to_string(place.path("pictures/run.svg")).unwrap();
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("val_loss"),
        "{svg}"
    );
    place.refuses(
        &["runs", "show", id, "--store", "store", "--svg", "pictures"],
        &["pictures", "folder"],
    );

    // A query may add the place: its line and a caret.
    for (query, words) in [
        ("params.lr <", ["expected a value", "the end"]),
        ("params.lrr < 1", ["no run has a parameter `lrr`", "nearest is `lr`"]),
        ("stat = 'finished'", ["stat", "state"]),
    ] {
        let output =
            place.trainbook(&["runs", "query", query, "--store", "store"]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{error}");
        assert!(
            error.starts_with("error: ") && error.lines().count() <= 3 && error.contains('^'),
            "{error}"
        );
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn an_onnx_file_with_one_wrong_bit_is_refused() {
    let place = Place::new();
    place.text(&["demo", "--store", "store", "--onnx", "digits.onnx"]);
    assert!(place.text(&["onnx", "check", "digits.onnx"]).contains("digits.onnx"));
    let check = place.json(&["onnx", "check", "digits.onnx", "--json"]);
    assert!(check.is_object(), "{check}");

    let good = fs::read(place.path("digits.onnx")).unwrap();
    // Most of the file are the 64 × 128 and 128 × 64 weights.
    for place_of_bit in [good.len() / 4, good.len() / 2, good.len() * 3 / 4] {
        let mut bad = good.clone();
        bad[place_of_bit] ^= 1;
        fs::write(place.path("bad.onnx"), bad).unwrap();
        place.refuses(
            &["onnx", "check", "bad.onnx"],
            &["bad.onnx", "SHA-256", "the largest difference is"],
        );
        place.refuses(&["onnx", "check", "bad.onnx", "--json"], &["bad.onnx"]);
    }
    fs::write(place.path("half.onnx"), &good[..good.len() / 2]).unwrap();
    place.refuses(&["onnx", "check", "half.onnx"], &["half.onnx", "damaged"]);
    fs::write(place.path("text.onnx"), "0,1,2\n").unwrap();
    place.refuses(&["onnx", "check", "text.onnx"], &["text.onnx"]);
    place.refuses(&["onnx", "check", "none.onnx"], &["none.onnx"]);
    place.refuses(&["onnx", "check", "store"], &["store", "a folder without a SHA256SUMS"]);
    place.refuses(
        &["onnx", "check", "digits.onnx", "--runtime", "no.so"],
        &["ONNX Runtime", "no.so"],
    );
}
