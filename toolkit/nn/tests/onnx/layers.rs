//! Every layer: what is exported is what dfdx computes.

use dfdx::prelude::*;
use trainbook_nn::onnx::{ToOnnx, graph_of};
use trainbook_onnx::internals::nodes;
use trainbook_onnx::{
    ExportOptions, GraphBuilder, Numbers, OnnxError, Session, Value, Verifier, check, export,
};

use super::{
    Folder, Rows, batch_norm, device, export_wide, forward, layer_norm, normal, sha256, wide_graph,
    wide_model,
};

/// Exports `model`, checks the file again, and compares a session with dfdx directly.
fn prove<const I: usize, const O: usize>(
    name: &str,
    model: &(impl ToOnnx + Module<Rows<I>, Output = Rows<O>>),
) {
    for samples in [Vec::new(), normal(8, 40 * I)] {
        let folder = Folder::new();
        let graph = graph_of(I, "logits", model, None).unwrap();
        let predict = forward::<I, O>(model, None);
        let options = ExportOptions { samples: Numbers::F32(samples), ..ExportOptions::default() };
        let report = export(&folder.file(), &graph, &predict, &options)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(report.comparison.comparisons, 60, "{name}");
        assert_eq!(folder.names(), ["model.onnx"], "{name}");
        let checked =
            check(folder.file(), &Verifier::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            (checked.graph_sha256, checked.output_width),
            (Some(graph.sha256()), O),
            "{name}"
        );
        println!(
            "{name:<16} {:.1e} margin used {:.3}",
            report.comparison.max_abs_diff, report.comparison.margin_used
        );

        let rows = normal(10, 11 * I);
        let found = Session::open(&folder.file(), None).unwrap().predict(&rows, 11).unwrap();
        for (found, wanted) in found.iter().zip(predict(&rows, 11).unwrap()) {
            assert!((found - wanted).abs() < 1e-5, "{name}: {found} {wanted}");
        }
    }
}

#[test]
fn every_layer_is_exported_as_dfdx_computes_it() {
    prove("Linear", &device().build_module::<builders::Linear<5, 3>, f32>());
    prove("UnbiasedLinear", &device().build_module::<builders::UnbiasedLinear<5, 3>, f32>());
    prove::<6, 6>("ReLU", &ReLU);
    prove::<6, 6>("LeakyReLU", &LeakyReLU::<f32>::default());
    prove::<6, 6>("LeakyReLU(-0.3)", &LeakyReLU(-0.3_f32));
    prove::<6, 6>("Sigmoid", &Sigmoid);
    prove::<6, 6>("Tanh", &Tanh);
    prove::<6, 6>("Softmax", &Softmax);
    prove::<6, 6>("LogSoftmax", &LogSoftmax);
    prove::<6, 6>("FastGeLU", &FastGeLU);
    prove::<6, 6>("AccurateGeLU", &AccurateGeLU);
    prove::<6, 6>("Dropout", &Dropout { p: 0.5 });
    prove::<6, 6>("DropoutOneIn", &DropoutOneIn::<2>);
    prove("BatchNorm1D", &batch_norm::<6>());
    prove("LayerNorm1D", &layer_norm::<6>());
    prove::<6, 6>("()", &());
    let inner =
        device().build_module::<(builders::Linear<6, 4>, ReLU, builders::Linear<4, 6>), f32>();
    prove("Residual", &Residual(inner));
    prove("single tuple", &(Tanh, device().build_module::<builders::Linear<5, 3>, f32>()));
}

#[test]
fn deep_and_large_models_stay_within_the_margin() {
    type Block = (builders::Linear<64, 128>, ReLU, builders::Linear<128, 64>);
    type Deep = (
        (Block, LogSoftmax, Block, Tanh),
        (Block, Sigmoid, Block, FastGeLU),
        (Block, ReLU, Block, Softmax),
    );
    prove("digits", &device().build_module::<(Block, ReLU, builders::Linear<64, 10>), f32>());
    prove("deep", &device().build_module::<Deep, f32>());
    prove(
        "wide",
        &device()
            .build_module::<(builders::Linear<784, 512>, ReLU, builders::Linear<512, 10>), f32>(),
    );
    let folded = device().build_module::<builders::Linear<16, 6>, f32>();
    prove(
        "folded",
        &(
            folded,
            batch_norm::<6>(),
            ReLU,
            layer_norm::<6>(),
            Residual((batch_norm::<6>(), AccurateGeLU)),
        ),
    );
}

#[test]
fn names_are_those_of_the_tensor_collection() {
    let graph = wide_graph(&wide_model());
    let weights: Vec<_> =
        graph.weights().map(|(name, shape, _)| format!("{name} {shape:?}")).collect();
    assert_eq!(
        weights,
        [
            "normalize.offset [5]",
            "normalize.scale [5]",
            "0.0.weight [7, 5]",
            "0.0.bias [7]",
            "0.2.scale [7]",
            "0.2.bias [7]",
            "0.2.running_mean [7]",
            "0.2.running_var [7]",
            "1.weight [4, 7]",
            "1.bias [4]",
            "2.gamma [4]",
            "2.beta [4]",
            "3.weight [3, 4]",
            "3.bias [3]",
        ]
    );
    let nodes: Vec<_> = nodes(&graph).map(|(node, output)| format!("{node} -> {output}")).collect();
    assert_eq!(
        nodes,
        [
            "normalize.sub -> normalize.sub",
            "normalize.mul -> normalize.mul",
            "0.0.gemm -> 0.0.gemm",
            "0.1.leakyrelu -> 0.1.leakyrelu",
            "0.2.batchnormalization -> 0.2.batchnormalization",
            "1.gemm -> 1.gemm",
            "2.layernormalization -> 2.layernormalization",
            "3.gemm -> logits",
        ]
    );
    assert_eq!(graph.parameters(), 10 + 42 + 28 + 32 + 8 + 15);
    assert_eq!((graph.input_width(), graph.output_width(), graph.output_name()), (5, 3, "logits"));
}

#[test]
fn the_report_says_what_was_proved() {
    let folder = Folder::new();
    let report = export_wide(&folder, |_| {}).unwrap();
    let bytes = std::fs::read(folder.file()).unwrap();
    assert_eq!((report.bytes, &report.file_sha256), (bytes.len() as u64, &sha256(&bytes)));
    assert!(report.comparison.max_trainer_error > 0.0 && report.comparison.max_runtime_error > 0.0);
    assert!(report.comparison.margin_used < 1.0 && report.comparison.usual_abs_diff < 1e-5);
    assert!(report.comparison.usual_abs_diff <= report.comparison.max_abs_diff);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["opset"], &json["ir_version"], &json["comparisons"]),
        (&17.into(), &8.into(), &60.into())
    );
    let text = report.to_string();
    assert!(text.contains(&report.graph_sha256) && text.contains("ONNX Runtime 1."), "{text}");
    let checked = check(folder.file(), &Verifier::default()).unwrap();
    assert_eq!(checked.metadata["trainbook.run_id"], "run-1");
    println!("{text}\n{checked}");
}

#[test]
fn what_cannot_be_exported_is_refused_with_the_reason() {
    let linear = device().build_module::<builders::Linear<5, 3>, f32>();
    let width = graph_of(4, "logits", &(linear.clone(),), None).unwrap_err().to_string();
    assert!(width.contains("Linear 0") && width.contains("[batch, 5]"), "{width}");
    for name in ["", "input", "weight"] {
        let error = graph_of(5, name, &linear, None).unwrap_err();
        assert!(matches!(error, OnnxError::Setting { setting: "output name", .. }), "{error}");
    }
    let short = graph_of(5, "logits", &linear, Some((&[1.0], &[1.0; 5]))).unwrap_err().to_string();
    assert!(short.contains("normalization offset to 1 numbers"), "{short}");
    assert!(graph_of(0, "logits", &(), None).is_err());
}

#[test]
fn a_layer_of_ones_own_takes_part() {
    struct Double;
    impl ToOnnx for Double {
        fn to_onnx(
            &self,
            graph: &mut GraphBuilder,
            scope: &str,
            input: &Value,
        ) -> Result<Value, OnnxError> {
            graph.node(scope, "Add", &[&input.name, &input.name], &[])
        }
    }
    let graph = graph_of(2, "y", &(Double, Double), None).unwrap();
    assert_eq!(graph.evaluate_f64(&[1.0, -3.0], 1).unwrap(), [4.0, -12.0]);
    assert!(graph.evaluate_f64(&[1.0], 1).is_err() && graph.evaluate_f64(&[], 0).is_err());

    struct Unknown;
    impl ToOnnx for Unknown {
        fn to_onnx(
            &self,
            graph: &mut GraphBuilder,
            scope: &str,
            input: &Value,
        ) -> Result<Value, OnnxError> {
            graph.node(scope, "Det", &[&input.name], &[])
        }
    }
    let unknown = graph_of(2, "y", &(Unknown,), None).unwrap_err().to_string();
    assert!(unknown.contains("\"Det\""), "{unknown}");
}
