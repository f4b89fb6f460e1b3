//! Exporter bugs, planted in the graph after it was built: each must be refused, and must leave no
//! file.

use std::fs;

use dfdx::nn::DeviceBuildExt as _;
use trainbook_nn::NnError;
use trainbook_nn::onnx::graph_of;
use trainbook_onnx::internals::{inputs, insert, leave_out, node, weight};
use trainbook_onnx::{Attribute, Dim, ExportOptions, Graph, Numbers, OnnxError, export};

use super::{Folder, device, export_wide, forward, wide_graph, wide_model};

fn attribute(node_name: &'static str, name: &'static str, value: Attribute) -> impl Fn(&mut Graph) {
    move |graph| {
        node(graph, node_name).attributes.insert(name.into(), value.clone());
    }
}

#[test]
fn planted_bugs_are_refused() {
    type Bug = Box<dyn Fn(&mut Graph)>;
    let bugs: Vec<(&str, Bug)> = vec![
        ("alpha omitted", Box::new(|g| node(g, "0.1.leakyrelu").attributes.clear())),
        ("transB dropped", Box::new(|g| node(g, "0.0.gemm").attributes.clear())),
        ("mean and var swapped", Box::new(|g| node(g, "0.2.batchnormalization").inputs.swap(3, 4))),
        (
            "scale and bias swapped",
            Box::new(|g| node(g, "0.2.batchnormalization").inputs.swap(1, 2)),
        ),
        ("bias of another layer", Box::new(|g| node(g, "1.gemm").inputs[2] = "2.beta".into())),
        ("bias left out", Box::new(|g| node(g, "3.gemm").inputs.truncate(2))),
        (
            "batch norm epsilon",
            Box::new(attribute("0.2.batchnormalization", "epsilon", Attribute::Float(1e-3))),
        ),
        (
            "layer norm epsilon",
            Box::new(attribute("2.layernormalization", "epsilon", Attribute::Float(1e-3))),
        ),
        ("layer norm axis", Box::new(attribute("2.layernormalization", "axis", Attribute::Int(0)))),
        (
            "batch norm epsilon dropped",
            Box::new(|g| drop(node(g, "0.2.batchnormalization").attributes.remove("epsilon"))),
        ),
        (
            "layer norm epsilon dropped",
            Box::new(|g| drop(node(g, "2.layernormalization").attributes.remove("epsilon"))),
        ),
        ("dropout in training mode", Box::new(|g| insert(g, "0.1.leakyrelu", "Dropout"))),
        ("another function behind", Box::new(|g| insert(g, "3.gemm", "Tanh"))),
        ("fixed batch", Box::new(|g| inputs(g)[0].shape[0] = Dim::Fixed(1))),
        ("layers swapped", Box::new(|g| node(g, "1.gemm").inputs[1] = "3.weight".into())),
        (
            "training mode",
            Box::new(attribute("0.2.batchnormalization", "training_mode", Attribute::Int(1))),
        ),
        ("wrong scale", Box::new(|g| weight(g, "normalize.scale")[3] *= 1.001)),
        ("offset not taken", Box::new(|g| leave_out(g, "normalize.sub"))),
        ("activation left out", Box::new(|g| leave_out(g, "0.1.leakyrelu"))),
        ("one weight off", Box::new(|g| weight(g, "0.0.weight")[17] += 1e-3)),
        ("NaN weight", Box::new(|g| weight(g, "1.weight")[5] = f32::NAN)),
        ("infinite weight", Box::new(|g| weight(g, "1.weight")[5] = f32::INFINITY)),
        ("weight overflows", Box::new(|g| weight(g, "1.weight")[5] = f32::MAX)),
        ("negative variance", Box::new(|g| weight(g, "0.2.running_var")[2] = -1.0)),
        ("wrong batch", Box::new(|g| node(g, "1.gemm").output.shape.swap(0, 1))),
    ];
    for (name, bug) in &bugs {
        let folder = Folder::new();
        let error = export_wide(&folder, bug).expect_err(name);
        assert!(matches!(error, OnnxError::Export { .. }), "{name}: {error}");
        assert!(!error.to_string().contains('\n'), "{name}: {error}");
        assert_eq!(folder.names(), [] as [&str; 0], "{name}");
        println!("{name}: {error}");
    }
    assert!(bugs.len() > 12);
}

#[test]
fn a_square_layer_without_its_transposition_is_refused() {
    let model = device().build_module::<dfdx::nn::builders::Linear<6, 6>, f32>();
    let mut graph = graph_of(6, "logits", &model, None).unwrap();
    node(&mut graph, "gemm").attributes.clear();
    let folder = Folder::new();
    let error =
        export(&folder.file(), &graph, &forward::<6, 6>(&model, None), &ExportOptions::default())
            .unwrap_err();
    assert!(
        error.to_string().contains("the graph states something else than the trainer computes"),
        "{error}"
    );
    assert_eq!(folder.names(), [] as [&str; 0]);
}

#[test]
fn a_gelu_of_the_other_kind_is_refused() {
    use dfdx::nn::modules::{AccurateGeLU, FastGeLU, Softmax};
    let graph = graph_of(6, "logits", &FastGeLU, None).unwrap();
    let folder = Folder::new();
    export(
        &folder.file(),
        &graph,
        &forward::<6, 6>(&AccurateGeLU, None),
        &ExportOptions::default(),
    )
    .unwrap_err();
    let mut graph = graph_of(6, "logits", &Softmax, None).unwrap();
    node(&mut graph, "softmax").attributes.insert("axis".into(), Attribute::Int(0));
    let error =
        export(&folder.file(), &graph, &forward::<6, 6>(&Softmax, None), &ExportOptions::default());
    assert!(error.unwrap_err().to_string().contains("axis"));
}

#[test]
fn a_mismatch_names_the_place_and_keeps_the_older_file() {
    let folder = Folder::new();
    export_wide(&folder, |_| {}).unwrap();
    let before = fs::read(folder.file()).unwrap();
    let error = export_wide(&folder, |g| weight(g, "3.bias")[1] += 0.25).unwrap_err().to_string();
    assert!(error.contains("they differ by 2.5"), "{error}");
    assert!(
        error.contains("batch ") && error.contains(" inputs") && error.contains(", 1] is"),
        "{error}"
    );
    assert_eq!(fs::read(folder.file()).unwrap(), before);
    assert_eq!(folder.names(), ["model.onnx"]);
}

/// f32 overflows where f64 does not: the one way in which ONNX Runtime leaves the evaluation of its
/// own graph here.
#[test]
fn the_first_node_that_differs_is_found() {
    let error = export_wide(&Folder::new(), |g| weight(g, "1.weight")[5] = f32::MAX)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "every output must be finite; the first node that differs is \"1.gemm\" (Gemm)"
        ),
        "{error}"
    );
}

#[test]
fn trainers_that_misbehave_are_refused() {
    let graph = wide_graph(&wide_model());
    let folder = Folder::new();
    let options = ExportOptions::default();
    let short =
        export(&folder.file(), &graph, &|_, n| Ok(vec![0.0; n]), &options).unwrap_err().to_string();
    assert!(short.contains("gives 1 numbers for 1 rows, the graph 3"), "{short}");
    let nan = export(&folder.file(), &graph, &|_, n| Ok(vec![f32::NAN; 3 * n]), &options)
        .unwrap_err()
        .to_string();
    assert!(nan.contains("NaN in the trainer") && nan.contains("must be finite"), "{nan}");
    let failed = |_: &[f32], _| Err(NnError::State("asked to fail".into()).into());
    let Err(OnnxError::Forward(error)) = export(&folder.file(), &graph, &failed, &options) else {
        panic!()
    };
    assert!(matches!(error.downcast_ref(), Some(NnError::State(_))), "{error}");
    let zeros = |_: &[f32], n| Ok(vec![0.0; 3 * n]);
    for samples in [vec![1.0; 6], vec![f32::NAN; 5]] {
        let options = ExportOptions { samples: Numbers::F32(samples), ..ExportOptions::default() };
        assert!(matches!(
            export(&folder.file(), &graph, &zeros, &options),
            Err(OnnxError::Setting { setting: "samples", .. })
        ));
    }
    assert_eq!(folder.names(), [] as [&str; 0]);
}

/// A forward pass that depends on who else is in the batch, as batch normalisation in training mode
/// does.
#[test]
fn a_trainer_whose_rows_depend_on_each_other_is_refused() {
    let model = wide_model();
    let predict = forward(&model, Some((&super::OFFSET, &super::SCALE)));
    let folder = Folder::new();
    let dependent = |rows: &[f32], n: usize| {
        let mut output = predict(rows, n)?;
        if n == 7 {
            output[0] += 1e-3;
        }
        Ok(output)
    };
    let error = export(&folder.file(), &wide_graph(&model), &dependent, &ExportOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("batch 7"), "{error}");
}
