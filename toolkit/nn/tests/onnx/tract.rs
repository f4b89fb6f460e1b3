//! The second opinion, and the only one where there is no ONNX Runtime.

use dfdx::prelude::*;
use trainbook_nn::onnx::graph_of;
use trainbook_onnx::internals::{node, weight};
use trainbook_onnx::{
    Attribute, ExportOptions, Numbers, OnnxError, SecondOpinion, Verifier, check, export,
};

use super::{Folder, device, export_wide, forward, wide_graph, wide_model, wide_samples};

#[test]
fn tract_agrees_with_a_sound_file() {
    let folder = Folder::new();
    let report = export_wide(&folder, |_| {}).unwrap();
    let Some(SecondOpinion::Agrees { engine, comparisons, max_error, .. }) =
        &report.comparison.second_opinion
    else {
        panic!("{report}");
    };
    assert_eq!((engine.as_str(), *comparisons), ("tract 0.23.9", 30));
    assert!(
        *max_error > 0.0 && report.to_string().contains("tract 0.23.9 agrees in 30 runs"),
        "{report}"
    );
    let checked = check(folder.file(), &Verifier::default()).unwrap();
    assert!(matches!(checked.comparison.second_opinion, Some(SecondOpinion::Agrees { .. })));
}

#[test]
fn tract_alone_checks_and_says_so() {
    let folder = Folder::new();
    let model = wide_model();
    let options = ExportOptions {
        samples: Numbers::F32(wide_samples()),
        verifier: Verifier::TractOnly,
        ..ExportOptions::default()
    };
    let predict = forward(&model, Some((&super::OFFSET, &super::SCALE)));
    let report = export(&folder.file(), &wide_graph(&model), &predict, &options).unwrap();
    assert_eq!((report.checked_in.engine.as_str(), &report.checked_in.path), ("tract", &None));
    assert!(report.to_string().contains("tract 0.23.9 alone, not in ONNX Runtime"), "{report}");
    assert_eq!(report.comparison.comparisons, 30);
    let checked = check(folder.file(), &Verifier::TractOnly).unwrap();
    assert!(checked.metadata["trainbook.proof"].contains("\"checked_in\":\"tract 0.23.9\""));

    let mut graph = wide_graph(&model);
    weight(&mut graph, "3.bias")[1] += 0.25;
    let at = Folder::new();
    let error = export(&at.file(), &graph, &predict, &options).unwrap_err();
    assert!(matches!(error, OnnxError::Export { .. }), "{error}");
    node(&mut graph, "2.layernormalization")
        .attributes
        .insert("epsilon".into(), Attribute::Float(1e-2));
    export(&at.file(), &graph, &predict, &options).unwrap_err();
    assert_eq!(at.names(), [] as [&str; 0]);
}

#[test]
fn tract_alone_sees_a_missing_transposition() {
    let model = device().build_module::<builders::Linear<6, 6>, f32>();
    let mut graph = graph_of(6, "logits", &model, None).unwrap();
    node(&mut graph, "gemm").attributes.clear();
    let options = ExportOptions { verifier: Verifier::TractOnly, ..ExportOptions::default() };
    let error = export(&Folder::new().file(), &graph, &forward::<6, 6>(&model, None), &options)
        .unwrap_err();
    assert!(
        error.to_string().contains("the graph states something else than the trainer computes"),
        "{error}"
    );
}
