//! Times, batches, and files of other tools.

use std::fs;

use super::*;
use crate::tests::foreign::{Fields, bytes, external, file, int, message, node, value};

#[test]
fn percentiles_are_nearest_ranks() {
    let times = |n: u64| (1..=n).map(Duration::from_millis).collect::<Vec<_>>();
    let of = |n, percent| percentile(&times(n), percent).as_millis();
    assert_eq!([of(100, 50), of(100, 99), of(100, 100)], [50, 99, 100]);
    assert_eq!([of(5, 50), of(5, 99), of(4, 50), of(1, 50), of(1, 99)], [3, 5, 2, 1, 1]);
    assert_eq!([of(101, 99), of(200, 99), of(1000, 99)], [100, 198, 990]);
    assert_eq!(percentile(&[], 50), Duration::ZERO);
}

#[test]
fn the_batch_is_what_is_called_so_or_comes_first() {
    let named = [
        Value::i64("x", ["sequence".into(), "batch_size".into()]),
        Value::f32("y", ["other".into()]),
    ];
    assert_eq!(
        named.each_ref().map(|input| shape(&named, input, 3)),
        [vec![LENGTH, 3], vec![LENGTH]]
    );
    assert_eq!(
        free_lengths(&named),
        [("other".into(), LENGTH), ("sequence".into(), LENGTH)].into()
    );
    let nameless = [Value::f32("x", ["".into(), "".into(), 5.into()]), Value::f32("y", [2.into()])];
    assert_eq!(
        nameless.each_ref().map(|input| shape(&nameless, input, 3)),
        [vec![3, LENGTH, 5], vec![2]]
    );
    assert_eq!(free_lengths(&nameless), [("?".into(), LENGTH)].into());
    assert_eq!(batches(&nameless, &[]).unwrap(), BATCHES);
    assert_eq!(batches(&nameless, &[4, 1, 4]).unwrap(), [4, 1]);
}

#[test]
fn batches_that_cannot_be_are_refused() {
    let refusal = |inputs: &[Value], batch| batches(inputs, &[batch]).unwrap_err().to_string();
    let (free, fixed) =
        ([Value::f32("x", ["n".into(), 5.into()])], [Value::f32("x", [2.into(), 5.into()])]);
    assert_eq!(refusal(&free, 0), "set the batch size to 0: it must be at least 1");
    assert_eq!(batches(&fixed, &[]).unwrap(), [2]);
    assert_eq!(
        refusal(&fixed, 3),
        "set the batch size to 3: it must be 2, because the file fixes it"
    );
    for batch in [MOST_NUMBERS / 5 + 1, usize::MAX] {
        assert!(
            refusal(&free, batch).contains("so small that the input x [n, 5] has at most"),
            "{batch}"
        );
    }
}

fn of_file(graph: &[Fields], options: &LatencyOptions) -> Result<LatencyReport, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    fs::write(&path, file(graph)).unwrap();
    let report = latency(&path, options).map_err(|error| error.to_string());
    assert!(
        !report.as_ref().is_err_and(|error| error.contains('\n') || !error.contains("x.onnx")),
        "{report:?}"
    );
    report
}

#[test]
fn a_file_of_another_tool_is_measured() {
    let graph = [
        value(11, "x", 1, &["rows", "", "4"]),
        value(11, "i", 7, &["rows"]),
        node("ArgMax", &["x"], "best", &[message(5, &[bytes(1, "axis"), int(3, 2), int(20, 2)])]),
        node("Cast", &["i"], "same", &[message(5, &[bytes(1, "to"), int(3, 9), int(20, 2)])]),
        value(12, "best", 7, &["rows", "", "1"]),
        value(12, "same", 9, &["rows"]),
    ];
    let options = LatencyOptions {
        batches: vec![3, 1],
        threads: vec![1, 2],
        runs: 7,
        time: Duration::from_millis(1),
        ..LatencyOptions::default()
    };
    let report = of_file(&graph, &options).unwrap();
    let measured: Vec<_> = report.latencies.iter().map(|row| (row.batch, row.threads)).collect();
    assert_eq!(measured, [(3, 1), (1, 1), (3, 2), (1, 2)]);
    assert!(
        report
            .latencies
            .iter()
            .all(|row| row.runs >= 5 && row.p50_us > 0.0 && row.p50_us <= row.p99_us)
    );
    assert_eq!(report.lengths, [("?".into(), LENGTH)].into());
    // A row has 1 × 4 numbers where free sizes are 1.
    assert_eq!((report.flops, report.flops_unknown, report.parameters), (4, 0, 0));
    assert!(report.to_string().contains("length      ? = 16\n"), "{report}");
}

#[test]
fn files_that_cannot_be_measured_say_why() {
    let refusal = |graph: &[Fields]| of_file(graph, &LatencyOptions::default()).unwrap_err();
    let half =
        [value(11, "x", 10, &["n"]), node("Neg", &["x"], "y", &[]), value(12, "y", 10, &["n"])];
    let error = refusal(&half);
    assert!(
        error.contains("input \"x\"") && error.contains("they must be float32 numbers (FLOAT)"),
        "{error}"
    );
    let error = refusal(&[external("w", "w.bin", &[2])]);
    assert!(
        error.contains("keeps data in \"w.bin\"; save the model with its data in one file"),
        "{error}"
    );
    let unknown =
        [value(11, "x", 1, &["n"]), node("Nege", &["x"], "y", &[]), value(12, "y", 1, &["n"])];
    assert!(refusal(&unknown).contains("ONNX Runtime says"));
}
