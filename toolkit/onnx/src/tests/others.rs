//! Files of other tools, which `tests/python/make_foreign_fixtures.py` makes, beside what onnx's
//! reference evaluator gives for them; and hostile ones, byte by byte.

use std::fs;
use std::path::{Path, PathBuf};

use prost::bytes::Bytes;
use serde::Deserialize;

use super::super::foreign::{self, Foreign};
use super::super::reference::{self, outputs_of, widen};
use super::super::{Array, CheckReport, Numbers, Verifier, check, decode};
use super::Folder;
use super::foreign::{
    Fields, bytes, external, file, initializer, int, ints, message, node, one, packed, value,
};

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    /// What the refusal says.
    #[serde(default)]
    says: Vec<String>,
    /// How many rows the file fixes.
    rows: Option<usize>,
    #[serde(default)]
    tolerance: f64,
    #[serde(default)]
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    shape: Vec<usize>,
    floats: Option<Vec<f32>>,
    integers: Option<Vec<i64>>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    shape: Vec<usize>,
    exact: Vec<f64>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign")
}

fn cases() -> Vec<Case> {
    let text = fs::read(folder().join("foreign.json")).unwrap();
    serde_json::from_slice::<Fixture>(&text).unwrap().cases
}

fn open(path: &Path) -> Result<Foreign, String> {
    let bytes = Bytes::from(fs::read(path).unwrap());
    let model = decode::parse(bytes.clone())?;
    assert!(!foreign::is_ours(&model));
    foreign::open(model, bytes, path.parent().unwrap())
}

impl Input {
    fn array(&self) -> Array {
        match (&self.floats, &self.integers) {
            (Some(floats), None) => Array::f32(self.shape.clone(), floats.clone()),
            (None, Some(integers)) => Array::i64(self.shape.clone(), integers.clone()),
            _ => panic!("numbers of two kinds or none"),
        }
    }
}

#[test]
fn files_of_other_tools_give_what_the_reference_evaluator_gives() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| case.says.is_empty()) {
        let name = &case.file;
        let opened = match open(&folder().join(name)) {
            Ok(opened) => opened,
            Err(reason) => {
                wrong.push(format!("{name}: {reason}"));
                continue;
            }
        };
        let Foreign { graph, batch, .. } = opened;
        assert_eq!(batch, case.rows, "{name}");
        let inputs: Vec<Array> = case.inputs.iter().map(Input::array).collect();
        let ours = outputs_of(&graph, reference::evaluate(&graph, widen(&inputs)).unwrap());
        assert_eq!(ours.len(), case.outputs.len(), "{name}");
        for ((output, ours), value) in case.outputs.iter().zip(ours).zip(graph.outputs()) {
            assert_eq!((&output.name, &output.shape), (&value.name, &ours.shape), "{name}");
            let largest = ours.values.iter().fold(1.0_f64, |largest, y| largest.max(y.abs()));
            for (at, &exact) in output.exact.iter().enumerate() {
                let (y, margin) = ours.number(at);
                if (y - exact).abs() > case.tolerance * exact.abs().max(1.0) {
                    wrong.push(format!("{name}, {}[{at}]: {y}, not {exact}", output.name));
                    break;
                }
                // Not so wide that nothing could be outside.
                if margin > 1e-3 * largest {
                    wrong.push(format!("{name}, {}[{at}]: {y} ± {margin}", output.name));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_of_other_tools_are_checked_in_onnx_runtime_or_refused_in_plain_words() {
    let mut wrong = Vec::new();
    for Case { file, says, rows, .. } in cases() {
        let path = folder().join(&file);
        match check(&path, &Verifier::default()) {
            Err(error) if says.is_empty() => wrong.push(format!("{file}: {error}")),
            Ok(_) if !says.is_empty() => wrong.push(format!("{file} was accepted")),
            Err(error) => {
                let error = error.to_string();
                plain(&error);
                let missing = says.iter().find(|words| !error.contains(words.as_str()));
                wrong.extend(missing.map(|words| format!("{file}: {words:?} is not in {error}")));
            }
            Ok(report) => {
                let kinds = 5 * if has_free_lengths(&report) { 3 } else { 1 };
                let batches = if rows.is_some() { 1 } else { 5 };
                // Optimised and not, and once more in reverse order.
                assert_eq!(report.comparison.comparisons, kinds * 2 * (batches + 1), "{file}");
                assert_eq!(report.graph_sha256, None, "{file}");
                assert!(report.comparison.margin_used <= 1.0, "{file}");
                let fixed = report.notes.iter().any(|note| note.contains("rows alone"));
                assert_eq!(fixed, rows.is_some(), "{file}: {:?}", report.notes);
                assert!(report.to_string().contains("no hash to hold it to"), "{report}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn has_free_lengths(report: &CheckReport) -> bool {
    report.signature.contains("steps")
}

/// One line, without the marks of Rust's `Debug`.
fn plain(error: &str) {
    assert!(error.starts_with("use the ONNX model ") || error.starts_with("read "), "{error}");
    for mark in ["\n", "Some(", "None", "Ok(", "Err(", "{ ", " }", "Dim", "Named("] {
        assert!(!error.contains(mark), "{mark:?} is in {error}");
    }
}

#[test]
fn the_report_speaks_in_the_names_of_the_file() {
    let report = check(folder().join("batch-size.onnx"), &Verifier::default()).unwrap();
    assert_eq!(report.signature, "x [batch_size, 4] → y [batch_size, 3]");
    assert_eq!((report.opset, report.ir_version, report.parameters), (15, 8, 20 + 5 + 15 + 3));
    assert_eq!(report.producer, "by hand");
    let report = check(folder().join("fixed-batch.onnx"), &Verifier::default()).unwrap();
    assert_eq!(report.signature, "x [3, 4] → y [3, 3]");
    assert_eq!(report.notes, ["the file fixes its batch: it was checked with 3 rows alone"]);
    let report = check(folder().join("external.onnx"), &Verifier::default()).unwrap();
    assert_eq!(report.notes, ["it keeps numbers in external.bin"]);
    let replaceable = check(folder().join("ir4-initializers-as-inputs.onnx"), &Verifier::default());
    assert!(replaceable.unwrap().notes[0].contains("may replace w1, b1, w2, b2"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["opset"], &json["graph_sha256"]), (&17.into(), &serde_json::Value::Null));
}

/// A changed number of a file, so that what ONNX Runtime computes is not what is evaluated.
#[test]
fn a_file_that_computes_something_else_is_refused_with_the_first_node_that_does() {
    use super::super::compare::compare;
    use super::super::subject::Subject;
    let mut opened = open(&folder().join("pytorch-mlp-17.onnx")).unwrap();
    let weight = opened.graph.weights.iter_mut().find(|weight| weight.shape == [5, 6]).unwrap();
    weight.data[3] += 0.01;
    let node = opened.graph.nodes.iter().find(|node| node.inputs.contains(&weight.name)).unwrap();
    let name = node.name.clone();
    let refuse = |reason| crate::Error::OnnxFile { path: "x".into(), reason };
    let (engines, _) = Verifier::default().engines().unwrap();
    let subject = Subject {
        graph: &opened.graph,
        bytes: &opened.bytes,
        batch: opened.batch,
        values: Some(&opened.values),
        path: "x".as_ref(),
        engines: &engines,
        refuse: &refuse,
    };
    let error = compare(subject, None, &Numbers::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("the first node that differs is {name:?} (Gemm)")), "{error}");
}

/// Refused in one plain line.
fn refusal(folder: &Folder, bytes: &[u8]) -> String {
    let path = folder.0.path().join("x.onnx");
    fs::write(&path, bytes).unwrap();
    let error = check(&path, &Verifier::default()).unwrap_err().to_string();
    plain(&error);
    error
}

fn x() -> Fields {
    value(11, "x", 1, &["N", "4"])
}

fn y() -> Fields {
    value(12, "y", 1, &["N", "4"])
}

#[test]
fn hostile_graphs_are_refused_in_one_line() {
    let folder = Folder::new();
    let says = |graph: &[Fields], words: &str| {
        let error = refusal(&folder, &file(graph));
        assert!(error.contains(words), "{words:?} is not in {error}");
    };
    let add = |a: &str, b: &str, out: &str| node("Add", &[a, b], out, &[]);
    says(&[x(), add("x", "b", "a"), add("x", "a", "b"), y()], "nothing before it is named \"b\"");
    says(&[x(), add("x", "y", "y"), y()], "nothing before it is named \"y\"");
    says(&[x(), node("Relu", &["nowhere"], "y", &[]), y()], "nothing before it is named");
    says(&[x(), node("Relu", &["x"], "a", &[]), y()], "no node gives its output \"y\"");
    says(
        &[x(), node("Relu", &["x"], "y", &[]), node("Tanh", &["x"], "y", &[]), y()],
        "two tensors or values are named \"y\"",
    );
    says(&[x(), x(), node("Relu", &["x"], "y", &[]), y()], "two tensors or values are named \"x\"");
    let w = |dims: &[i64], data| initializer("w", 1, dims, data);
    says(
        &[x(), w(&[4], 16), w(&[4], 16), add("x", "w", "y"), y()],
        "two tensors or values are named \"w\"",
    );
    says(&[x(), node("Relu", &["x"], "x", &[]), y()], "two tensors or values are named \"x\"");
    says(&[x(), y()], "no node gives its output \"y\"");
    says(&[x(), node("Identity", &["x"], "a", &[])], "0 outputs");
    says(&[node("Constant", &[], "y", &[]), y()], "it takes nothing");
    says(&[x(), node("Relu", &["x"], "", &[]), y()], "its first output has no name");
    says(&[x(), node("Relu", &[], "y", &[]), y()], "node \"y!\" (Relu): ");

    // Sizes that are only claimed.
    says(&[x(), w(&[1 << 40], 16), add("x", "w", "y"), y()], "has 16 bytes of data");
    says(&[x(), w(&[i64::MAX, 4], 16), add("x", "w", "y"), y()], "than a file can hold");
    says(&[x(), w(&[-4], 16), add("x", "w", "y"), y()], "a negative size");
    says(&[x(), w(&[5], 16), add("x", "w", "y"), y()], "it must have 20");
    says(&[value(11, "x", 1, &["N", "-4"]), y()], "the negative size -4");
    says(
        &[value(11, "x", 1, &["N", "1099511627776"]), node("Relu", &["x"], "y", &[]), y()],
        "numbers a row",
    );
    says(
        &[value(11, "x", 1, &["99999999", "4"]), node("Relu", &["x"], "y", &[]), y()],
        "batches of 99999999 rows",
    );
    says(
        &[
            value(11, "x", 1, &["1000000", "1000"]),
            node("Relu", &["x"], "y", &[]),
            value(12, "y", 1, &["1000000", "1000"]),
        ],
        "numbers for 1000000 rows",
    );
    let wide = value(11, "x", 1, &["N", "1000000"]);
    let relu = |from: &str, to: &str| node("Relu", &[from], to, &[]);
    let chain = [wide, relu("x", "a"), relu("a", "b"), relu("b", "c"), relu("c", "y")];
    says(&[&chain[..], &[value(12, "y", 1, &["N", "1000000"])]].concat(), "can be evaluated");
    let size = |numbers: &[i64]| {
        let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        message(5, &[packed(1, &[numbers.len() as i64]), int(2, 7), bytes(8, "s"), bytes(9, raw)])
    };
    says(
        &[
            x(),
            size(&[1 << 40, 4]),
            node("ConstantOfShape", &["s"], "a", &[]),
            add("x", "a", "y"),
            y(),
        ],
        "0 to 1048576 numbers",
    );
    let mut doubled = vec![x(), size(&[1, 1])];
    for i in 0..40 {
        let from = if i == 0 { "s".to_owned() } else { format!("s{i}") };
        let to = format!("s{}", i + 1);
        doubled.push(node("Concat", &[&from, &from], &to, &[one("axis", 0)]));
    }
    says(&doubled, "a row of more than 65536 sizes");
    says(&[x(), size(&[1, 1 << 40]), node("Expand", &["x", "s"], "y", &[]), y()], "(Expand)");
    says(&[x(), size(&[0, -1, -1]), node("Reshape", &["x", "s"], "y", &[]), y()], "(Reshape)");
    says(
        &[
            x(),
            size(&[0, 0, 0, 1 << 60]),
            node("Pad", &["x", "s"], "y", &[]),
            value(12, "y", 1, &["N", "1152921504606846980"]),
        ],
        "more than 1048576 numbers",
    );
    says(&[x(), size(&[i64::MIN, 4]), node("Reshape", &["x", "s"], "y", &[]), y()], "(Reshape)");
    let split = node("Split", &["x"], "y", &[one("num_outputs", i64::MAX), one("axis", 1)]);
    says(&[x(), split, y()], "(Split)");
    let group = node("GroupNormalization", &["x", "w", "w"], "y", &[one("num_groups", 0)]);
    says(&[value(11, "x", 1, &["N", "4", "2"]), w(&[4], 16), group, y()], "groups of 0");

    // What is stated is what must come out.
    says(
        &[x(), node("Relu", &["x"], "y", &[]), value(12, "y", 1, &["N", "5"])],
        "its output is stated as y [N, 5]",
    );
    says(
        &[x(), node("Relu", &["x"], "y", &[]), value(12, "y", 7, &["N", "4"])],
        "its output is stated as y [N, 4] of int64 numbers (INT64)",
    );
    let branch = message(5, &[bytes(1, "then_branch"), message(6, &[]), int(20, 5)]);
    says(
        &[x(), node("If", &["x"], "y", std::slice::from_ref(&branch)), y()],
        "cannot be evaluated in f64: If",
    );
    says(&[x(), node("Relu", &["x"], "y", &[branch]), y()], "is no number, text, tensor");
    let relu = node("Relu", &["x"], "y", &[one("axis", 1)]);
    says(&[x(), relu, y()], "the attribute \"axis\" of Relu");
    let twice = node("Softmax", &["x"], "y", &[one("axis", 1), one("axis", -1)]);
    says(&[x(), twice, y()], "has the attribute \"axis\" twice");
    let perm = node("Transpose", &["x"], "y", &[ints("perm", &[0, 0])]);
    says(&[x(), perm, y()], "(Transpose)");
    says(
        &[x(), node("FusedGelu", &["x"], "y", &[bytes(7, "com.microsoft")]), y()],
        "FusedGelu of com.microsoft",
    );
    let (a, b) = (value(11, "x", 1, &["N", "4"]), value(11, "z", 1, &["1", "4"]));
    says(&[a, b, add("x", "z", "y"), y()], "(x [N, 4], z [1, 4])");
    let deep = value(11, "x", 1, &["N", "a", "b", "c"]);
    says(&[deep, node("Relu", &["x"], "y", &[]), y()], "more than three of its inputs' sizes");
    says(&[value(11, "x", 1, &["N", "N"]), node("Relu", &["x"], "y", &[]), y()], "twice in its");
    says(&[value(11, "x", 8, &["N", "4"]), y()], "takes strings (STRING)");
    says(&[x(), initializer("w", 8, &[4], 4), add("x", "w", "y"), y()], "holds strings (STRING)");
    says(&[x(), initializer("w", 14, &[4], 32), add("x", "w", "y"), y()], "complex64 numbers");
    says(
        &[x(), initializer("w", 10, &[4], 8), add("x", "w", "y"), y()],
        "float16 numbers (FLOAT16)",
    );
    // A function of its own.
    let model = [file(&[x(), node("Relu", &["x"], "y", &[]), y()]), message(25, &[])].concat();
    assert!(refusal(&folder, &model).contains("functions of its own"));
}

#[test]
fn numbers_beside_the_file_are_read_only_from_its_folder() {
    let folder = Folder::new();
    let root = folder.0.path();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), [0; 64]).unwrap();
    fs::write(root.join("w.bin"), [0; 24]).unwrap();
    fs::create_dir(root.join("inner")).unwrap();
    let graph = |w: Fields| file(&[x(), w, node("Add", &["x", "w"], "y", &[]), y()]);
    let says = |w: Fields, words: &str| {
        let error = refusal(&folder, &graph(w));
        assert!(
            error.contains("the tensor \"w\" keeps its data in") && error.contains(words),
            "{error}"
        );
    };
    for location in ["../../etc/passwd", "/etc/passwd", "a/../../w", "..\\w", "C:\\w", ""] {
        says(external("w", location, &[4]), "it must name a file in the model's folder or below");
    }
    says(external("w", "none.bin", &[4]), "failed to read it");
    says(external("w", "inner", &[4]), "it is not a file");
    says(external("w", "w.bin", &[7]), "28 bytes from byte 0 on are not in its 24");
    says(external("w", "w.bin", &[1 << 40]), "are not in its 24");
    let at = |key: &str, text: &str| {
        let entry = |key: &str, text: &str| message(13, &[bytes(1, key), bytes(2, text)]);
        let entries = [entry("location", "w.bin"), entry(key, text)].concat();
        message(5, &[packed(1, &[4]), int(2, 1), bytes(8, "w"), entries, int(14, 1)])
    };
    says(at("offset", "9"), "16 bytes from byte 9 on are not in its 24");
    says(at("offset", "18446744073709551615"), "are not in its 24");
    says(at("offset", "-1"), "its offset is \"-1\"");
    says(at("length", "12"), "its length is 12; its shape takes 16 bytes");
    says(at("length", "many"), "its length is \"many\"");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(outside.path().join("secret"), root.join("link.bin")).unwrap();
        symlink(outside.path(), root.join("way")).unwrap();
        symlink(root.join("w.bin"), root.join("inner/same.bin")).unwrap();
        says(external("w", "link.bin", &[4]), "a link leads from there out of the model's folder");
        says(
            external("w", "way/secret", &[4]),
            "a link leads from there out of the model's folder",
        );
        // Inside, a link is as good as a file.
        fs::write(root.join("x.onnx"), graph(external("w", "inner/same.bin", &[4]))).unwrap();
        check(root.join("x.onnx"), &Verifier::default()).unwrap();
    }
    fs::write(root.join("x.onnx"), graph(at("offset", "8"))).unwrap();
    check(root.join("x.onnx"), &Verifier::default()).unwrap();
}

/// Every beginning of a file, and every byte changed, ends in a report or in one line.
#[test]
fn damaged_files_of_other_tools_never_panic() {
    let path = folder().join("opset13-forms.onnx");
    let whole = fs::read(&path).unwrap();
    let survives = |bytes: Vec<u8>| {
        let bytes = Bytes::from(bytes);
        let reason = decode::parse(bytes.clone()).and_then(|model| {
            foreign::open(model, bytes.clone(), path.parent().unwrap()).map(drop)
        });
        if let Err(reason) = reason {
            assert!(!reason.contains('\n'), "{reason}");
        }
    };
    for end in 0..whole.len() {
        survives(whole[..end].to_vec());
    }
    for at in 0..whole.len() {
        for by in [1, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= by;
            survives(damaged);
        }
    }
}
