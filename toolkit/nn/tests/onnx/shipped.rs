//! What ships with a file: recorded rows, a folder around it, and what is said of a file that was
//! changed.

use std::fs;

use prost::Message as _;
use trainbook_onnx::internals::golden_difference;
use trainbook_onnx::{
    ExportOptions, FILE_SHA256, GOLDEN, GRAPH_SHA256, Graph, Numbers, Verifier, check, export,
};

use super::proto::{ModelProto, StringStringEntryProto, TensorProto};
use super::{Folder, export_wide, forward, sha256, wide_graph, wide_model, wide_samples};

/// Exports the wide model as a folder.
fn ship(folder: &Folder) {
    let model = wide_model();
    let options = ExportOptions {
        samples: Numbers::F32(wide_samples()),
        folder: true,
        ..ExportOptions::default()
    };
    let predict = forward(&model, Some((&super::OFFSET, &super::SCALE)));
    export(&folder.file(), &wide_graph(&model), &predict, &options).unwrap();
}

fn refusal(folder: &Folder) -> String {
    let error = check(folder.file(), &Verifier::default()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_flipped_bit_of_a_weight_is_named_with_what_it_does() {
    let folder = Folder::new();
    let report = export_wide(&folder, |_| {}).unwrap();
    let bytes = fs::read(folder.file()).unwrap();
    let tensors = ModelProto::decode(&bytes[..]).unwrap().graph.unwrap().initializer;
    let weight = &tensors.iter().find(|tensor| tensor.name == "3.weight").unwrap().raw_data;
    let at = bytes.windows(weight.len()).position(|window| window == weight).unwrap();
    for bit in 0..32 {
        let mut flipped = bytes.clone();
        flipped[at + bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.file(), &flipped).unwrap();
        let error = refusal(&folder);
        assert!(error.contains("changed after the export: its graph has the SHA-256"), "{error}");
        assert!(error.contains(&report.graph_sha256), "{error}");
        let number = f32::from_le_bytes(flipped[at..at + 4].try_into().unwrap());
        let says = if number.is_finite() {
            "the largest difference is"
        } else {
            "every weight must be finite"
        };
        assert!(error.contains(says), "bit {bit}: {error}");
        // What it says is what the weight does: the largest difference follows from the recorded
        // rows.
        if number.is_finite() {
            let difference = golden_difference(&flipped).unwrap();
            assert!(
                error.contains(&format!("the largest difference is {difference:.3e}")),
                "{error}"
            );
            assert!(bit != 30 || difference > 1.0, "{error}");
        }
    }
}

#[test]
fn changed_metadata_are_told() {
    let folder = Folder::new();
    export_wide(&folder, |_| {}).unwrap();
    let bytes = fs::read(folder.file()).unwrap();
    let edited = |edit: &dyn Fn(&mut Vec<StringStringEntryProto>)| {
        let mut model = ModelProto::decode(&bytes[..]).unwrap();
        edit(&mut model.metadata_props);
        fs::write(folder.file(), model.encode_to_vec()).unwrap();
        refusal(&folder)
    };
    let says = |error: String, text: &str| {
        assert!(error.contains(text), "{error:?} does not say {text:?}")
    };
    let run = |entries: &[StringStringEntryProto]| {
        entries.iter().position(|e| e.key == "trainbook.run_id").unwrap()
    };
    says(
        edited(&|m| {
            let at = run(m);
            m[at].value = "run-2".into();
        }),
        "what is before its last entry has the SHA-256",
    );
    says(
        edited(&|m| {
            let at = run(m);
            m.remove(at);
        }),
        "what is before its last entry has the SHA-256",
    );
    says(edited(&|m| drop(m.pop())), "its last metadata entry is not trainbook.sha256");
    says(
        edited(&|m| m.push(StringStringEntryProto { key: "a".into(), value: "b".into() })),
        "its last metadata entry is not",
    );
    says(edited(&|m| m.retain(|e| e.key != GRAPH_SHA256)), "was not written by trainbook");
    // Sealed again after a change, the recorded rows still give it away.
    let sealed = |edit: &dyn Fn(&mut Vec<StringStringEntryProto>)| {
        edited(&|m| {
            m.pop();
            edit(m);
            let model =
                ModelProto { metadata_props: m.clone(), ..ModelProto::decode(&bytes[..]).unwrap() };
            m.push(StringStringEntryProto {
                key: FILE_SHA256.into(),
                value: sha256(&model.encode_to_vec()),
            });
        })
    };
    let golden = |entries: &mut Vec<StringStringEntryProto>, from: &str, to: &str| {
        let entry = entries.iter_mut().find(|entry| entry.key == GOLDEN).unwrap();
        assert!(entry.value.contains(from));
        entry.value = entry.value.replacen(from, to, 1);
    };
    says(sealed(&|m| golden(m, "\"shape\":[3,3]", "\"shape\":[1,9]")), "does not fit the graph");
    says(sealed(&|m| golden(m, "\"shape\":[3,3]", "\"shape\":[3,4]")), "do not fill the shape");
    says(sealed(&|m| golden(m, "inputs", "imports")), "cannot be read");
    says(sealed(&|m| golden(m, "f32", "f16")), "unknown variant `f16`");
    says(sealed(&|m| golden(m, "f32", "i64")), "do not fill the shape");
    let numbers = |entries: &mut Vec<StringStringEntryProto>| {
        let entry = entries.iter_mut().find(|entry| entry.key == GOLDEN).unwrap();
        let at = entry.value.rfind("\"data\":\"").unwrap() + 8;
        entry.value.replace_range(at..at + 4, "AACA");
    };
    says(sealed(&numbers), "was recorded in its metadata");
}

#[test]
fn a_folder_is_checked_as_a_whole() {
    let folder = Folder::new();
    ship(&folder);
    let at = folder.file();
    let report = check(&at, &Verifier::default()).unwrap();
    let places: Vec<_> =
        report.golden.iter().map(|golden| (golden.place.as_str(), golden.rows)).collect();
    assert_eq!(places, [("metadata", 3), ("test_data_set_0", 33)]);
    assert!(report.to_string().contains("33 rows in its test_data_set_0"), "{report}");
    check(at.join("model.onnx"), &Verifier::default()).unwrap();

    let sums = fs::read_to_string(at.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 3);
    let with = |name: &str, bytes: Option<&[u8]>| {
        let path = at.join(name);
        let before = fs::read(&path).unwrap();
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = refusal(&folder);
        fs::write(&path, before).unwrap();
        error
    };
    let says = |error: String, text: &str| {
        assert!(error.contains(text), "{error:?} does not say {text:?}")
    };
    let mut output = fs::read(at.join("test_data_set_0/output_0.pb")).unwrap();
    *output.last_mut().unwrap() ^= 1;
    says(
        with("test_data_set_0/output_0.pb", Some(&output)),
        "output_0.pb was changed after the export",
    );
    says(with("test_data_set_0/input_0.pb", None), "input_0.pb cannot be read");
    says(with("SHA256SUMS", Some(b"nothing")), "line 1 of SHA256SUMS");
    says(with("SHA256SUMS", Some(b"")), "does not name model.onnx");
    says(
        with("SHA256SUMS", Some(format!("{sums}00  ../secret\n").as_bytes())),
        "\"../secret\" in SHA256SUMS lies outside",
    );
    says(
        with("SHA256SUMS", Some(format!("{sums}00  /etc/passwd\n").as_bytes())),
        "lies outside the folder",
    );
    says(with("SHA256SUMS", None), "a folder without a SHA256SUMS");
    let listed = |name: &str, bytes: &[u8]| {
        let old = sha256(&fs::read(at.join(name)).unwrap());
        let sums_before = fs::read(at.join("SHA256SUMS")).unwrap();
        fs::write(at.join("SHA256SUMS"), sums.replace(&old, &sha256(bytes))).unwrap();
        let error = with(name, Some(bytes));
        fs::write(at.join("SHA256SUMS"), sums_before).unwrap();
        error
    };
    // Rows that are whole and listed, and that the model does not give.
    let mut tensor =
        TensorProto::decode(&fs::read(at.join("test_data_set_0/output_0.pb")).unwrap()[..])
            .unwrap();
    let edit = |tensor: &mut TensorProto, by: f32| {
        let number = f32::from_le_bytes(tensor.raw_data[..4].try_into().unwrap());
        let mut data = tensor.raw_data.to_vec();
        data[..4].copy_from_slice(&(number + by).to_le_bytes());
        tensor.raw_data = data.into();
    };
    edit(&mut tensor, 0.25);
    let error = listed("test_data_set_0/output_0.pb", &tensor.encode_to_vec());
    says(error.clone(), "was recorded in its test_data_set_0");
    says(error, "logits[0, 0]");
    tensor.dims = vec![9, 11];
    says(listed("test_data_set_0/output_0.pb", &tensor.encode_to_vec()), "does not fit the graph");
    tensor.dims = vec![i64::MAX, 11];
    says(
        listed("test_data_set_0/output_0.pb", &tensor.encode_to_vec()),
        "as many numbers as its shape",
    );
    says(listed("test_data_set_0/output_0.pb", b"\xff\xff"), "is not a tensor");
    check(&at, &Verifier::default()).unwrap();
}

#[test]
fn nothing_that_is_read_makes_the_reader_panic() {
    use proptest::prelude::*;
    let bytes = wide_graph(&wide_model()).to_bytes(&[("a".to_owned(), "b".to_owned())].into());
    let config =
        ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let accepted = std::cell::Cell::new(0);
    proptest!(config, |(edits in edits, cut in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..80))| {
        let mut harmed = bytes.clone();
        for (at, byte) in &edits {
            let at = at.index(harmed.len());
            harmed[at] = *byte;
        }
        for bytes in [&harmed[..], &harmed[..cut.index(harmed.len())], &noise] {
            if let Ok((graph, _)) = Graph::from_bytes("x".as_ref(), bytes) {
                prop_assert_eq!(graph.to_bytes(&[("a".to_owned(), "b".to_owned())].into()), bytes);
                accepted.set(accepted.get() + 1);
            }
        }
    });
    assert!(accepted.get() > 0, "the unharmed file was never among them");
}
