//! Graphs of sequences: the round trip, and planted bugs, each of which must be refused and leave
//! no file.

use std::path::Path;

use dfdx::prelude::*;
use prost::Message as _;
use trainbook_nn::onnx::graph_on;
use trainbook_onnx::internals::{integers, leave_out, node, weight};
use trainbook_onnx::{
    Array, Attribute, BATCH, ExportOptions, ExportReport, GRAPH_SHA256, Graph, Numbers, OnnxError,
    SEQUENCE, Session, Value, export, export_with,
};

use super::proto::{ModelProto, TENSOR_INT64, TensorProto};
use super::{Folder, device, random, sha256};

type Block = modules::TransformerEncoderBlock<6, 2, 6, f32, Cpu>;

/// As many heads as divide the features, and a feed-forward part of the same width: a missing
/// transposition changes no shape.
fn block() -> Block {
    let mut block = device().build_module::<builders::TransformerEncoderBlock<6, 2, 6>, f32>();
    (block.norm1.gamma, block.norm1.beta) = (random(11), random(12));
    (block.norm2.gamma, block.norm2.beta) = (random(13), random(14));
    for linear in [&mut block.self_attn.w_q, &mut block.self_attn.w_k] {
        linear.weight = linear.weight.clone() * 3.0;
    }
    block
}

fn graph(block: &Block) -> Graph {
    let input = Value::f32("tokens", [BATCH.into(), SEQUENCE.into(), 6.into()]);
    graph_on(&[input], &["encoded"], block).unwrap()
}

fn export_block(folder: &Folder, edit: impl FnOnce(&mut Graph)) -> Result<ExportReport, OnnxError> {
    let block = block();
    let mut graph = graph(&block);
    edit(&mut graph);
    let forward = |inputs: &[Array]| {
        let shape = (inputs[0].shape[0], inputs[0].shape[1], Const::<6>);
        Ok(vec![
            block.forward(device().tensor_from_vec(inputs[0].floats().to_vec(), shape)).as_vec(),
        ])
    };
    export_with(&folder.file(), &graph, &forward, &ExportOptions::default())
}

#[test]
fn a_graph_of_sequences_survives_the_round_trip() {
    let graph = graph(&block());
    let bytes = graph.to_bytes(&Default::default());
    let (again, metadata) = Graph::from_bytes(Path::new("x"), &bytes).unwrap();
    assert_eq!(again, graph);
    assert_eq!(metadata[GRAPH_SHA256], graph.sha256());
    assert_eq!((graph.input_width(), graph.output_width()), (0, 0));
}

#[test]
fn planted_bugs_in_an_encoder_are_refused() {
    type Bug = Box<dyn Fn(&mut Graph)>;
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let bugs: Vec<(&str, &str, Bug)> = vec![
        (
            "scale of the heads",
            "differ by",
            Box::new(|g| weight(g, "self_attn.weights.scale")[0] = 1.0),
        ),
        (
            "scale of all features",
            "differ by",
            Box::new(|g| weight(g, "self_attn.weights.scale")[0] = 6_f32.sqrt().recip()),
        ),
        ("softmax left out", "differ by", Box::new(|g| leave_out(g, "self_attn.weights.softmax"))),
        (
            "transposition of the queries' weight",
            "differ by",
            Box::new(|g| leave_out(g, "self_attn.w_q.transpose")),
        ),
        (
            "transposition of the values' weight",
            "differ by",
            Box::new(|g| leave_out(g, "self_attn.w_v.transpose")),
        ),
        (
            "tokens not put back in order",
            "Reshape",
            Box::new(|g| leave_out(g, "self_attn.tokens.transpose")),
        ),
        (
            "heads of another order",
            "its output is",
            Box::new(|g| integers(g, "self_attn.q.shape")[2..].copy_from_slice(&[3, 2])),
        ),
        ("fixed batch", "does not fit", Box::new(|g| integers(g, "self_attn.k.shape")[0] = 1)),
        ("fixed sequence", "does not fit", Box::new(|g| integers(g, "self_attn.k.shape")[1] = 5)),
        (
            "keys in the values' place",
            "does not fit",
            Box::new(|g| {
                node(g, "self_attn.tokens.matmul").inputs[1] = "self_attn.k.transpose".into();
            }),
        ),
        (
            "queries for keys",
            "nothing before it is named",
            Box::new(|g| {
                node(g, "self_attn.w_k.matmul").inputs[1] = "self_attn.w_q.transpose".into();
            }),
        ),
        ("residual of the attention", "differ by", Box::new(|g| leave_out(g, "add"))),
        (
            "residual of another place",
            "differ by",
            Box::new(|g| node(g, "ff.add").inputs[1] = "tokens".into()),
        ),
        (
            "norms swapped",
            "differ by",
            Box::new(|g| {
                node(g, "norm1.layernormalization").inputs[1..]
                    .clone_from_slice(&["norm2.gamma".into(), "norm2.beta".into()]);
            }),
        ),
        ("bias left out", "differ by", Box::new(|g| leave_out(g, "self_attn.w_o.add"))),
        (
            "softmax over the queries",
            "axis",
            Box::new(|g| {
                node(g, "self_attn.weights.softmax")
                    .attributes
                    .insert("axis".into(), Attribute::Int(2));
            }),
        ),
        (
            "batch moved",
            "its output is",
            Box::new(move |g| {
                node(g, "self_attn.q.transpose")
                    .attributes
                    .insert("perm".into(), ints(&[2, 0, 1, 3]));
            }),
        ),
        (
            "one index of a row of integers too many",
            "its output is",
            Box::new(|g| integers(g, "self_attn.v.shape").push(1)),
        ),
    ];
    let folder = Folder::new();
    export_block(&folder, |_| {}).unwrap();
    let mut unexpected = Vec::new();
    for (name, reason, bug) in &bugs {
        let folder = Folder::new();
        let error = export_block(&folder, bug).expect_err(name);
        assert!(matches!(error, OnnxError::Export { .. }), "{name}: {error}");
        let text = error.to_string();
        if text.contains('\n') || !text.contains(reason) {
            unexpected.push(format!("{name}: {text}"));
        }
        assert_eq!(folder.names(), [] as [&str; 0], "{name}");
        println!("{name}: {text}");
    }
    assert!(unexpected.is_empty(), "refused for another reason:\n{}", unexpected.join("\n"));
}

#[test]
fn integers_of_a_file_are_read_strictly() {
    let graph = graph(&block());
    let edited = |edit: &dyn Fn(&mut ModelProto)| {
        let mut model = ModelProto::decode(&graph.to_bytes(&Default::default())[..]).unwrap();
        edit(&mut model);
        let hash = sha256(&model.graph.as_ref().unwrap().encode_to_vec());
        model.metadata_props[0].value = hash;
        Graph::from_bytes(Path::new("x"), &model.encode_to_vec())
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let tensor = |model: &mut ModelProto| {
        let tensors = &mut model.graph.as_mut().unwrap().initializer;
        let at = tensors.iter().position(|tensor| tensor.data_type == TENSOR_INT64).unwrap();
        tensors[at].clone()
    };
    let replace = |model: &mut ModelProto, with: TensorProto| {
        let tensors = &mut model.graph.as_mut().unwrap().initializer;
        let at = tensors.iter().position(|tensor| tensor.data_type == TENSOR_INT64).unwrap();
        tensors[at] = with;
    };
    edited(&|_| {}).unwrap();
    let says = |result: Result<(), String>, text: &str| {
        assert!(result.clone().is_err_and(|e| e.contains(text)), "{result:?}")
    };
    says(
        edited(&|m| {
            let mut t = tensor(m);
            t.dims = vec![2, 2];
            replace(m, t);
        }),
        "2 dimensions",
    );
    says(
        edited(&|m| {
            let mut t = tensor(m);
            t.raw_data.truncate(9);
            replace(m, t);
        }),
        "bytes of raw data",
    );
    // The same computation, but integers before floats: not as trainbook writes it.
    says(
        edited(&|m| {
            let t = tensor(m);
            let tensors = &mut m.graph.as_mut().unwrap().initializer;
            tensors.retain(|tensor| tensor.name != t.name);
            tensors.insert(0, t);
        }),
        "does not write",
    );
    says(
        edited(&|m| m.graph.as_mut().unwrap().input[0].name = "other".into()),
        "nothing before it is named",
    );
}

#[test]
fn rows_alone_do_not_run_a_graph_of_sequences() {
    let folder = Folder::new();
    export_block(&folder, |_| {}).unwrap();
    let session = Session::open(&folder.file(), None).unwrap();
    let setting = |error: OnnxError| {
        assert!(matches!(error, OnnxError::Setting { setting: "the model's input", .. }), "{error}")
    };
    setting(session.predict(&[0.5; 12], 2).unwrap_err());
    setting(session.run(&[]).unwrap_err());
    setting(session.run(&[Array::f32([2, 3, 5], vec![0.5; 30])]).unwrap_err());
    setting(session.run(&[Array::f32([2, 3, 6], vec![0.5; 30])]).unwrap_err());
    setting(session.run(&[Array::f32([2, 0, 6], vec![])]).unwrap_err());
    setting(session.run(&[Array::i64([2, 3, 6], vec![1; 36])]).unwrap_err());
    let graph = graph(&block());
    setting(graph.evaluate_f64(&[0.5; 12], 2).unwrap_err());
    let rows = |_: &[f32], n: usize| Ok(vec![0.0; 6 * n]);
    setting(
        export(&folder.0.path().join("a.onnx"), &graph, &rows, &ExportOptions::default())
            .unwrap_err(),
    );
    let samples = ExportOptions { samples: Numbers::F32(vec![1.0; 6]), ..ExportOptions::default() };
    let none = |_: &[Array]| Ok(Vec::new());
    let error = export_with(&folder.0.path().join("a.onnx"), &graph, &none, &samples).unwrap_err();
    assert!(matches!(error, OnnxError::Setting { setting: "samples", .. }), "{error}");
    let error =
        export_with(&folder.0.path().join("a.onnx"), &graph, &none, &ExportOptions::default())
            .unwrap_err();
    assert!(error.to_string().contains("the trainer gives no numbers"), "{error}");
    assert_eq!(folder.names(), ["model.onnx"]);
}
