//! `trainbook onnx show` and `trainbook onnx bench`, on the demo's file and on what is none.

use std::fs;

use serde_json::json;

use trainbook::prelude::*;

use crate::Place;

/// With `digits.onnx`: 64 pixels, 128 and 64 hidden units, 10 classes.
fn with_digits() -> Place {
    let place = Place::new();
    place.text(&["demo", "--store", "store", "--onnx", "digits.onnx"]);
    place
}

#[test]
fn show_and_bench_say_what_is_in_the_file_and_how_fast_it_is() {
    let place = with_digits();
    let size = fs::metadata(place.path("digits.onnx")).unwrap().len();
    let check = place.json(&["onnx", "check", "digits.onnx", "--json"]);
    let show = place.json(&["onnx", "show", "digits.onnx", "--json"]);
    for key in ["path", "bytes", "file_sha256", "ir_version", "parameters", "metadata"] {
        assert_eq!(show[key], check[key], "{key}");
    }
    let operators: Vec<_> = show["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["operator"].as_str().unwrap())
        .collect();
    assert_eq!(operators, ["Sub", "Mul", "Gemm", "Relu", "Gemm", "Relu", "Gemm"]);
    assert_eq!(show["nodes"][2]["parameters"], 64 * 128 + 128);
    assert_eq!(show["nodes"][2]["shape"], json!(["batch", 128]));
    // Offset and scale are among the parameters.
    let weights = 64 * 128 + 128 * 64 + 64 * 10;
    assert_eq!(show["parameters"], 64 + 64 + weights + 128 + 64 + 10);
    let flops = 64 + 64 + 2 * weights + (128 + 64 + 10) + (128 + 64);
    assert_eq!((&show["flops"], &show["flops_unknown"]), (&json!(flops), &json!(0)));

    let text = place.text(&["onnx", "show", "digits.onnx"]);
    let header: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["node", "operator", "output", "parameters", "FLOPs"]);
    let total: Vec<_> = text.lines().nth(8).unwrap().split_whitespace().collect();
    assert_eq!(total, ["total", &show["parameters"].to_string(), &flops.to_string()]);
    for part in [
        "[batch, 128]",
        "with batch = 1",
        "opsets: ai.onnx 17",
        "float32 [batch, 64]",
        "entries of the export's own (--all shows them)",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    for command in ["show", "check"] {
        let short = place.text(&["onnx", command, "digits.onnx"]);
        assert!(!short.contains("trainbook.graph_sha256"), "{short}");
        let all = place.text(&["onnx", command, "digits.onnx", "--all"]);
        assert!(all.contains("trainbook.graph_sha256") && !all.contains("--all"), "{all}");
    }

    let bench = place.json(&[
        "onnx",
        "bench",
        "digits.onnx",
        "--batch",
        "2,1,2",
        "--threads",
        "1,2",
        "--json",
    ]);
    for key in ["bytes", "parameters", "flops"] {
        assert_eq!(bench[key], show[key], "{key}");
    }
    assert_eq!((&bench["bytes"], &bench["measured_in"]), (&json!(size), &check["checked_in"]));
    let rows = bench["latencies"].as_array().unwrap();
    let of = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("batch"), of("threads")), (vec![2, 1, 2, 1], vec![1, 1, 2, 2]));
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!(
            number("p50_us") > 0.0 && number("p99_us") >= number("p50_us") && number("runs") >= 5.0,
            "{row}"
        );
        assert!(
            (number("rows_per_second") * number("p50_us") / number("batch") - 1e6).abs() < 1.0,
            "{row}"
        );
    }
    let text = place.text(&["onnx", "bench", "digits.onnx", "--batch", "4", "--threads", "1"]);
    let header: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["batch", "threads", "runs", "p50", "µs", "p99", "µs", "rows/s"]);
    assert!(
        text.contains("measured in ONNX Runtime") && text.contains(&format!("{flops} per row")),
        "{text}"
    );

    place.refuses(
        &["onnx", "bench", "digits.onnx", "--batch", "99999999999"],
        &["batch size", "99999999999", "so small"],
    );
    place.refuses(
        &["onnx", "bench", "digits.onnx", "--threads", "5000"],
        &["threads", "5000", "between 1 and 1024"],
    );
    place.refuses(
        &["onnx", "bench", "digits.onnx", "--runtime", "no.so"],
        &["ONNX Runtime", "no.so"],
    );
    let half = &fs::read(place.path("digits.onnx")).unwrap()[..5000];
    fs::write(place.path("half.onnx"), half).unwrap();
    refuses(&place, "half.onnx", &["half.onnx", "damaged"]);
}

/// By both commands, with exit code 1.
fn refuses(place: &Place, file: &str, words: &[&str]) {
    for command in ["show", "bench"] {
        let args = ["onnx", command, file];
        place.refuses(&args, words);
        assert_eq!(place.trainbook(&args).output().unwrap().status.code(), Some(1), "{args:?}");
    }
}

#[test]
fn what_is_no_onnx_file_is_refused() {
    let place = Place::new();
    fs::write(place.path("empty.onnx"), "").unwrap();
    fs::write(place.path("text.onnx"), "0,1,2\n").unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    refuses(&place, "empty.onnx", &["empty.onnx", "it is empty"]);
    refuses(&place, "text.onnx", &["text.onnx", "not an ONNX model"]);
    refuses(&place, "folder", &["folder", "it is not a file"]);
    refuses(&place, "none.onnx", &["read none.onnx"]);
    let output =
        place.trainbook(&["onnx", "bench", "empty.onnx", "--batch", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_folder_is_checked_and_refused_as_a_whole() {
    let place = Place::new();
    let features: Vec<f32> = (0..120).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let data = Dataset::from_rows(
        "test",
        4,
        features,
        Targets::Classes((0..30).map(|row| row % 3).collect()),
    )
    .unwrap();
    let run = Trainer::classifier(&data, Network::of::<Linear<4, 3>>())
        .seed(1)
        .quiet()
        .build()
        .unwrap()
        .fit(Epochs(1))
        .unwrap();
    run.export_with(place.path("net"), Export::new().softmax().class().folder()).unwrap();

    let check = place.json(&["onnx", "check", "net", "--json"]);
    assert_eq!(
        check["signature"],
        "input [batch, 4] → probabilities [batch, 3], class [batch] of int64"
    );
    let places: Vec<_> =
        check["golden"].as_array().unwrap().iter().map(|golden| &golden["place"]).collect();
    assert_eq!(places, ["metadata", "test_data_set_0"]);
    let text = place.text(&["onnx", "check", "net"]);
    assert!(text.contains("33 rows in its test_data_set_0"), "{text}");
    if let Ok(sum) = std::process::Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(place.path("net"))
        .status()
    {
        assert!(sum.success(), "sha256sum finds another hash");
    }

    let output = place.path("net").join("test_data_set_0/output_0.pb");
    let mut bytes = fs::read(&output).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&output, bytes).unwrap();
    place.refuses(
        &["onnx", "check", "net"],
        &["net", "output_0.pb was changed after the export", "SHA-256"],
    );
    fs::remove_file(place.path("net").join("SHA256SUMS")).unwrap();
    place.refuses(&["onnx", "check", "net"], &["net", "a folder without a SHA256SUMS"]);
}

#[cfg(feature = "tract")]
#[test]
fn tract_alone_needs_no_onnx_runtime() {
    let place = with_digits();
    let args = ["onnx", "check", "digits.onnx", "--tract-only", "--json"];
    let output = place.trainbook(&args).env("ORT_DYLIB_PATH", "/no/such/library").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let check: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&check["checked_in"]["engine"], &check["comparisons"]),
        (&json!("tract"), &json!(30))
    );
    let text = place.text(&["onnx", "check", "digits.onnx", "--tract-only"]);
    assert!(text.contains("tract 0.23.9 alone, not in ONNX Runtime"), "{text}");
    let both = ["onnx", "check", "digits.onnx", "--tract-only", "--runtime", "a.so"];
    assert_eq!(place.trainbook(&both).output().unwrap().status.code(), Some(2));
    let second = place.json(&["onnx", "check", "digits.onnx", "--json"]);
    assert_eq!(second["second_opinion"]["agrees"]["comparisons"], 30);
}
