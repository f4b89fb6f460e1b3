//! Probabilities and classes behind a network, proved like everything else.

use dfdx::prelude::*;
use trainbook_nn::onnx::{graph_of, graph_on};
use trainbook_onnx::internals::{insert, node};
use trainbook_onnx::{
    Array, Attribute, ExportOptions, ExportReport, Graph, Head, Numbers, OnnxError, Session, Value,
    Verifier, check, export_with,
};

use super::{Folder, device, forward, normal};

const BOTH: Head = Head { softmax: true, class: true };

fn export_head(
    folder: &Folder,
    head: Head,
    edit: impl FnOnce(&mut Graph),
) -> Result<ExportReport, OnnxError> {
    let model = device().build_module::<builders::Linear<4, 3>, f32>();
    let mut graph = graph_of(4, "logits", &model, None).unwrap().with_head(head).unwrap();
    edit(&mut graph);
    let predict = forward::<4, 3>(&model, None);
    let forward =
        |inputs: &[Array]| Ok(head.apply(predict(inputs[0].floats(), inputs[0].shape[0])?, 3));
    export_with(
        &folder.file(),
        &graph,
        &forward,
        &ExportOptions { samples: Numbers::F32(normal(3, 80)), ..Default::default() },
    )
}

#[test]
fn every_head_is_exported() {
    for (softmax, class, signature) in [
        (false, false, "logits [batch, 3]"),
        (true, false, "probabilities [batch, 3]"),
        (false, true, "logits [batch, 3], class [batch] of int64"),
        (true, true, "probabilities [batch, 3], class [batch] of int64"),
    ] {
        let folder = Folder::new();
        export_head(&folder, Head { softmax, class }, |_| {}).unwrap();
        let checked = check(folder.file(), &Verifier::default()).unwrap();
        assert_eq!(checked.signature, format!("input [batch, 4] → {signature}"));
        let outputs = Session::open(&folder.file(), None)
            .unwrap()
            .run(&[Array::f32([5, 4], normal(4, 20))])
            .unwrap();
        if softmax {
            assert!(
                outputs[0]
                    .floats()
                    .chunks(3)
                    .all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6)
            );
        }
        if class {
            assert_eq!(outputs[1].shape, [5]);
            for (row, class) in outputs[0].floats().chunks(3).zip(outputs[1].integers()) {
                assert!(row.iter().all(|x| *x <= row[*class as usize]));
            }
        }
    }
}

#[test]
fn wrong_heads_are_refused() {
    type Bug = Box<dyn Fn(&mut Graph)>;
    let bugs: Vec<(&str, Bug)> = vec![
        ("scaled logits", Box::new(|g| insert(g, "gemm", "Tanh"))),
        ("softmax twice", Box::new(|g| insert(g, "head.softmax", "Softmax"))),
        (
            "logarithm of the softmax",
            Box::new(|g| *node(g, "head.softmax").op = "LogSoftmax".into()),
        ),
        ("softmax over the batch", Box::new(|g| attribute(g, "head.softmax", "axis", 0))),
        ("class over the batch", Box::new(|g| attribute(g, "head.argmax", "axis", 0))),
        ("class with a dimension more", Box::new(|g| attribute(g, "head.argmax", "keepdims", 1))),
        (
            "the last of equal ones",
            Box::new(|g| attribute(g, "head.argmax", "select_last_index", 1)),
        ),
        ("class of the input", Box::new(|g| node(g, "head.argmax").inputs[0] = "input".into())),
    ];
    for (name, bug) in bugs {
        let folder = Folder::new();
        let error = export_head(&folder, BOTH, bug).expect_err(name);
        assert!(matches!(error, OnnxError::Export { .. }), "{name}: {error}");
        assert_eq!(folder.names(), [] as [&str; 0], "{name}");
        println!("{name}: {error}");
    }
}

fn attribute(graph: &mut Graph, at: &str, name: &str, value: i64) {
    node(graph, at).attributes.insert(name.into(), Attribute::Int(value));
}

#[test]
fn a_head_needs_logits() {
    let refused = |graph: Graph| graph.with_head(BOTH).unwrap_err().to_string();
    let model = device().build_module::<builders::Linear<4, 3>, f32>();
    let taken = graph_of(4, "probabilities", &model, None).unwrap();
    assert!(refused(taken).contains("probabilities"));
    let two = graph_on(
        &[Value::f32("x", ["batch".into(), 4.into()])],
        &["a", "b"],
        &SplitInto((Softmax, Tanh)),
    );
    assert!(refused(two.unwrap()).contains("it needs one output, but there are 2"));
}
