//! Files: round trips, damage, and what is not an ONNX file at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dfdx::nn::DeviceBuildExt as _;
use prost::Message as _;
use trainbook_nn::onnx::graph_of;
use trainbook_onnx::{
    ExportOptions, FILE_SHA256, GRAPH_SHA256, Graph, OnnxError, Session, Verifier, check, export,
};

use super::proto::{ModelProto, StringStringEntryProto};
use super::{Folder, device, export_wide, forward, sha256, wide_graph, wide_model};

#[test]
fn a_graph_survives_the_round_trip() {
    let graph = wide_graph(&wide_model());
    let metadata = BTreeMap::from([
        ("a".to_owned(), "1".to_owned()),
        ("labels".to_owned(), "[\"α\"]".to_owned()),
    ]);
    let bytes = graph.to_bytes(&metadata);
    let (again, mut read) = Graph::from_bytes(Path::new("x"), &bytes).unwrap();
    assert_eq!(again, graph);
    assert_eq!(read.remove(GRAPH_SHA256), Some(graph.sha256()));
    assert!(read.remove(FILE_SHA256).is_some());
    assert_eq!(read, metadata);
}

#[test]
fn the_graph_hash_is_of_graph_and_weights_alone() {
    let model = wide_model();
    let graph = wide_graph(&model);
    let other = graph_of(5, "scores", &model, Some((&super::OFFSET, &super::SCALE))).unwrap();
    assert_ne!(graph.sha256(), other.sha256());
    let (plain, described) =
        (graph.to_bytes(&BTreeMap::new()), graph.to_bytes(&[("a".into(), "b".into())].into()));
    assert_ne!(plain, described);
    let hash =
        |bytes: &[u8]| sha256(&ModelProto::decode(bytes).unwrap().graph.unwrap().encode_to_vec());
    assert_eq!((hash(&plain), hash(&described)), (graph.sha256(), graph.sha256()));
}

#[test]
fn nothing_damaged_is_accepted() {
    let folder = Folder::new();
    export_wide(&folder, |_| {}).unwrap();
    let bytes = fs::read(folder.file()).unwrap();
    let at = folder.0.path().join("damaged.onnx");
    let refused = |bytes: &[u8]| {
        fs::write(&at, bytes).unwrap();
        let error = check(&at, &Verifier::default()).err()?.to_string();
        assert!(!error.contains('\n') && error.contains("damaged.onnx"), "{error}");
        Some(error)
    };
    for len in 0..bytes.len() {
        assert!(refused(&bytes[..len]).is_some(), "the first {len} bytes were accepted");
    }
    for position in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            assert!(refused(&damaged).is_some(), "bit {bit} of byte {position} was accepted");
        }
    }
    let weight =
        ModelProto::decode(&bytes[..]).unwrap().graph.unwrap().initializer[2].raw_data.clone();
    let mut damaged = bytes.clone();
    damaged[bytes.windows(weight.len()).position(|window| window == weight).unwrap() + 2] ^= 1;
    let error = refused(&damaged).unwrap();
    assert!(error.contains("changed after the export") && error.contains("SHA-256"), "{error}");
}

#[test]
fn what_is_not_an_exported_model_is_refused_in_one_line() {
    let folder = Folder::new();
    let graph = wide_graph(&wide_model());
    let refusal = |bytes: &[u8]| {
        fs::write(folder.file(), bytes).unwrap();
        let error = check(folder.file(), &Verifier::default()).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let edited = |edit: &dyn Fn(&mut ModelProto)| {
        let mut model = ModelProto::decode(&graph.to_bytes(&BTreeMap::new())[..]).unwrap();
        edit(&mut model);
        let hash =
            sha256(&model.graph.as_ref().map(|graph| graph.encode_to_vec()).unwrap_or_default());
        model.metadata_props =
            vec![StringStringEntryProto { key: GRAPH_SHA256.into(), value: hash }];
        refusal(&model.encode_to_vec())
    };
    let says = |error: String, text: &str| {
        assert!(error.contains(text), "{error:?} does not say {text:?}")
    };

    says(refusal(b""), "it is empty");
    says(refusal(b"label,x\n1,2\n"), "not an ONNX model");
    says(refusal(&[0; 64]), "not an ONNX model");
    let noise: Vec<u8> =
        super::normal(3, 500).iter().flat_map(|x| x.to_bits().to_le_bytes()).collect();
    says(refusal(&noise), "not an ONNX model");
    says(
        check(folder.0.path(), &Verifier::default()).unwrap_err().to_string(),
        "it is a folder without a SHA256SUMS",
    );
    assert!(matches!(
        check(folder.0.path().join("none.onnx"), &Verifier::default()),
        Err(OnnxError::Read { .. })
    ));

    says(edited(&|m| m.ir_version = 14), "IR version is 14");
    says(edited(&|m| m.opset_import[0].version = 22), "22");
    says(edited(&|m| m.graph = None), "it has no graph");
    let first_node =
        |m: &mut ModelProto, op: &str| m.graph.as_mut().unwrap().node[0].op_type = op.into();
    says(edited(&|m| first_node(m, "Einsum")), "\"Einsum\"");
    says(
        edited(&|m| m.graph.as_mut().unwrap().node[0].domain = "com.microsoft".into()),
        "com.microsoft",
    );
    says(
        edited(&|m| m.graph.as_mut().unwrap().node[0].input[0] = "nowhere".into()),
        "nothing before it is named",
    );
    says(edited(&|m| m.graph.as_mut().unwrap().node.swap(2, 3)), "nothing before it is named");
    says(
        edited(&|m| m.graph.as_mut().unwrap().initializer[1].name = "normalize.offset".into()),
        "two tensors",
    );
    says(edited(&|m| m.graph.as_mut().unwrap().initializer[0].dims[0] = -5), "negative");
    says(
        edited(&|m| m.graph.as_mut().unwrap().initializer[0].dims = vec![i64::MAX, 16]),
        "bytes of raw data",
    );
    says(edited(&|m| m.graph.as_mut().unwrap().initializer[0].data_type = 10), "element type 10");
    says(edited(&|m| m.graph.as_mut().unwrap().name = "other".into()), "does not write");
    says(
        edited(&|m| {
            let tensor = &mut m.graph.as_mut().unwrap().initializer[0];
            let location = ("location".into(), "../../secrets".into());
            tensor.external_data =
                vec![StringStringEntryProto { key: location.0, value: location.1 }];
            tensor.data_location = Some(1);
            tensor.raw_data.clear();
        }),
        "../../secrets",
    );
    says(
        edited(&|m| {
            let tensor = &mut m.graph.as_mut().unwrap().initializer[0];
            let mut data = tensor.raw_data.to_vec();
            data[..4].copy_from_slice(&[0, 0, 192, 127]);
            tensor.raw_data = data.into();
        }),
        "NaN",
    );
    let mut plain = ModelProto::decode(&graph.to_bytes(&BTreeMap::new())[..]).unwrap();
    plain.metadata_props.clear();
    says(refusal(&plain.encode_to_vec()), "was not written by trainbook");
    // A field that this crate does not know: ModelProto.training_info.
    says(
        refusal(&[graph.to_bytes(&BTreeMap::new()), vec![0xa2, 0x01, 0x00]].concat()),
        "does not write",
    );
    // And the unedited graph, so that the edits are what was refused.
    fs::write(folder.file(), graph.to_bytes(&BTreeMap::new())).unwrap();
    check(folder.file(), &Verifier::default()).unwrap();
}

#[test]
fn a_session_refuses_what_it_cannot_run() {
    let folder = Folder::new();
    export_wide(&folder, |_| {}).unwrap();
    let session = Session::open(&folder.file(), None).unwrap();
    assert!(matches!(session.predict(&[1.0; 7], 2), Err(OnnxError::Setting { .. })));
    assert!(matches!(session.predict(&[], 0), Err(OnnxError::Setting { .. })));
    fs::write(folder.file(), b"no model").unwrap();
    let error = Session::open(&folder.file(), None).unwrap_err().to_string();
    assert!(error.contains("ONNX Runtime says") && !error.contains('\n'), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_an_error() {
    let model = device().build_module::<dfdx::nn::builders::Linear<2, 3>, f32>();
    let graph = graph_of(2, "logits", &model, None).unwrap();
    let predict = forward::<2, 3>(&model, None);
    let folder = Folder::new();
    let nowhere = folder.0.path().join("no/such/folder/model.onnx");
    let error = export(&nowhere, &graph, &predict, &ExportOptions::default()).unwrap_err();
    assert!(
        matches!(error, OnnxError::Write { .. }) && error.to_string().contains("model.onnx"),
        "{error}"
    );
    fs::create_dir(folder.file()).unwrap();
    let error = export(&folder.file(), &graph, &predict, &ExportOptions::default()).unwrap_err();
    assert!(matches!(error, OnnxError::Write { .. }), "{error}");
    assert_eq!(folder.names(), ["model.onnx"]);
    let options = ExportOptions {
        metadata: [(GRAPH_SHA256.into(), "x".into())].into(),
        ..ExportOptions::default()
    };
    let error = export(&folder.0.path().join("a.onnx"), &graph, &predict, &options).unwrap_err();
    assert!(matches!(error, OnnxError::Setting { setting: "metadata", .. }), "{error}");
}
