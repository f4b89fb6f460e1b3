//! A recorded run, used again without the program that made it.

use std::fs;

use trainbook::prelude::*;

use crate::{Place, digits_like, shipped_digits, succeeded};

/// Digits-like rows with a header.
fn named(rows: usize) -> String {
    let header: Vec<_> = (0..64).map(|pixel| format!("p{pixel}")).collect();
    format!("{},label\n{}", header.join(","), digits_like(rows))
}

/// Each line with its fields reversed.
fn reversed(csv: &str) -> String {
    csv.lines().map(|line| line.rsplit(',').collect::<Vec<_>>().join(",") + "\n").collect()
}

fn without_target(csv: &str) -> String {
    csv.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect()
}

#[test]
fn a_run_is_exported_and_predicts_without_its_program() {
    let place = Place::new();
    let report = place.json(&["demo", "--json", "--seed", "1", "--store", "store"]);
    let id = report["run_id"].as_str().unwrap();
    let again =
        place.json(&["onnx", "export", id, "-o", "again.onnx", "--json", "--store", "store"]);
    assert_eq!(again["graph_sha256"], report["onnx_graph_sha256"], "{again}");
    assert!(place.text(&["onnx", "check", "again.onnx"]).contains("again.onnx"));
    place.text(&[
        "onnx",
        "export",
        id,
        "-o",
        "folder",
        "--softmax",
        "--class",
        "--folder",
        "--store",
        "store",
    ]);
    assert!(place.path("folder/SHA256SUMS").is_file());

    let query = "model.parameters > 1000 and model.layers = 5";
    let found = place.json(&["runs", "query", query, "--json", "--store", "store"]);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["id"], id);

    // More rows than one batch. A network that learnt nothing would get a tenth of them right.
    let csv = digits_like(300);
    fs::write(place.path("rows.csv"), without_target(&csv)).unwrap();
    let shown =
        place.text(&["runs", "predict", id, "rows.csv", "--probabilities", "--store", "store"]);
    assert_eq!(shown.lines().count(), 301);
    for line in shown.lines().skip(1) {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let (class, probabilities) = (fields[0] as usize, &fields[1..]);
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{line}");
        assert!(probabilities.iter().all(|&p| p <= probabilities[class]), "{line}");
    }
    place.text(&["runs", "predict", id, "rows.csv", "-o", "out/p.csv", "--store", "store"]);
    let written = fs::read_to_string(place.path("out/p.csv")).unwrap();
    let classes: Vec<_> = shown.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), classes);

    // The test part of the demo's digits, as the demo divided them.
    let digits = Dataset::csv(shipped_digits()).unwrap().target(Column::last()).unwrap();
    let digits = digits.split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap();
    let test = digits.part(Part::Test);
    let row = |&row: &usize| {
        let fields: Vec<_> =
            digits.raw(&[row]).unwrap().floats().iter().map(ToString::to_string).collect();
        fields.join(",") + "\n"
    };
    fs::write(place.path("test.csv"), test.iter().map(row).collect::<String>()).unwrap();
    let shown = place.text(&["runs", "predict", id, "test.csv", "--store", "store"]);
    let predicted: Vec<u32> = shown.lines().skip(1).map(|class| class.parse().unwrap()).collect();
    let Targets::Classes(labels) = digits.targets().unwrap().of(test) else { panic!("no classes") };
    assert_eq!(predicted.len(), labels.len());
    let right = predicted.iter().zip(&labels).filter(|(predicted, label)| predicted == label);
    assert_eq!(right.count() as u64, report["test_correct"].as_u64().unwrap());

    fs::write(place.path("wide.csv"), &csv).unwrap();
    fs::write(place.path("text.csv"), crate::with_field(&without_target(&csv), 2, 3, "x")).unwrap();
    let refuses = |run: &str, rows: &str, store: &str, words: &[&str]| {
        place.refuses(&["runs", "predict", run, rows, "-o", "no.csv", "--store", store], words);
    };
    refuses(id, "wide.csv", "store", &["wide.csv line 1", "65 columns", "64"]);
    refuses(id, "text.csv", "store", &["text.csv line 3, column \"3\"", "\"x\""]);
    refuses(id, "none.csv", "store", &["none.csv", "no such file"]);
    refuses("nope", "rows.csv", "store", &["\"nope\"", "nearest id is 20"]);
    refuses(id, "rows.csv", "nowhere", &["nowhere"]);
    place.refuses(
        &["onnx", "export", "nope", "-o", "no.onnx", "--store", "store"],
        &["\"nope\"", "nearest id is 20"],
    );
    place.json(&["demo", "--json", "--seed", "2", "--store", "other"]);
    refuses(id, "rows.csv", "other", &[id, "nearest"]);
}

#[test]
fn columns_are_found_by_name_and_changed_data_are_refused() {
    let place = Place::new();
    let csv = named(600);
    fs::write(place.path("data.csv"), &csv).unwrap();
    let report = place.json(&["demo", "--json", "--data", "data.csv", "--store", "store"]);
    let id = report["run_id"].as_str().unwrap();
    let predict = |csv: &str, is_silent: bool| {
        fs::write(place.path("rows.csv"), csv).unwrap();
        let args = ["runs", "predict", id, "rows.csv", "--store", "store"];
        let output = place.trainbook(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(succeeded(&output), is_silent, "{output:?}");
        if !is_silent {
            let note = String::from_utf8(output.stderr).unwrap();
            assert!(note.starts_with("note: ") && note.contains("label"), "{note}");
        }
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = predict(&without_target(&csv), true);
    assert_eq!(predict(&csv, false), plain);
    assert_eq!(predict(&reversed(&csv), false), plain);
    assert_eq!(predict(&reversed(&without_target(&csv)), true), plain);
    let labels = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    let right = labels.zip(plain.lines().skip(1)).filter(|(label, class)| label == class).count();
    assert!(right > 500, "{right} of 600");

    fs::write(place.path("rows.csv"), csv.replace("p63", "q63")).unwrap();
    place.refuses(
        &["runs", "predict", id, "rows.csv", "--store", "store"],
        &["rows.csv", "\"p63\"", "there is no such column"],
    );
    let export = ["onnx", "export", id, "-o", "no.onnx", "--store", "store"];
    fs::write(place.path("data.csv"), crate::with_field(&csv, 5, 5, "9.5")).unwrap();
    place.refuses(&export, &["data.csv", "is not what run", id]);
    fs::remove_file(place.path("data.csv")).unwrap();
    place.refuses(&export, &["data.csv", "no such file"]);
}
