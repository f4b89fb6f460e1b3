//! Files of other tools, written byte by byte, and numbers counted by hand.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{Overview, Size, overview};
use crate::tests::foreign::{
    Fields, bytes, external, file, initializer, int, ints, message, node, one, packed, value,
};
use crate::{Attribute, Graph, GraphBuilder, Value};

fn read(graph: &[Fields]) -> Overview {
    Overview::from_bytes(Path::new("x.onnx"), file(graph).into()).unwrap()
}

fn refusal(bytes: Vec<u8>) -> String {
    let error = Overview::from_bytes(Path::new("x.onnx"), bytes.into()).unwrap_err().to_string();
    assert!(error.starts_with("use the ONNX model x.onnx: ") && !error.contains('\n'), "{error}");
    error
}

/// A small network for images, as no part of this crate writes it.
fn foreign() -> Vec<Fields> {
    vec![
        value(11, "image", 10, &["N", "3", "9", "8"]),
        // Old files list their weights here too.
        value(11, "kernel", 10, &["4", "3", "3", "3"]),
        initializer("kernel", 10, &[4, 3, 3, 3], 216),
        initializer("bias", 10, &[4], 8),
        initializer("quantised", 3, &[48, 10], 480),
        initializer("half", 22, &[3], 2),
        initializer("shape", 7, &[2], 16),
        node(
            "Conv",
            &["image", "kernel", "bias"],
            "a",
            &[ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])],
        ),
        node("Relu", &["a"], "b", &[]),
        node("MaxPool", &["b"], "c", &[ints("kernel_shape", &[2, 2]), ints("strides", &[1, 2])]),
        node("Twice", &["c"], "d", &[bytes(7, "com.example")]),
        node("Reshape", &["d", "shape"], "e", &[]),
        node("MatMulInteger", &["e", "quantised"], "f", &[]),
        node("Softmax", &["f"], "g", &[]),
        node("Add", &["g", ""], "", &[]),
        value(13, "c", 10, &["N", "4", "4", "2"]),
        value(13, "e", 3, &["N", "48"]),
        value(13, "f", 6, &["rows", ""]),
        value(12, "g", 1, &["N", "10"]),
    ]
}

#[test]
fn a_foreign_file_is_read() {
    let about = read(&foreign());
    assert_eq!((about.ir_version, about.producer.as_str()), (9, "a tool 1.2"));
    assert_eq!(about.opsets, [("ai.onnx".into(), 19), ("com.example".into(), 1)].into());
    assert_eq!(
        about.inputs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["image float16 [N, 3, 9, 8]"]
    );
    assert_eq!(
        about.outputs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["g float32 [N, 10]"]
    );
    assert_eq!(about.counted_as_one, ["N"]);
    // 108 + 4 + 480 + 3, and in bytes 216 + 8 + 480 + 2 + 16.
    assert_eq!((about.parameters, about.initializer_bytes), (595, 722));
    let parameters: Vec<_> = about.nodes.iter().map(|node| node.parameters).collect();
    assert_eq!(parameters, [112, 0, 0, 0, 0, 480, 0, 0]);
    let flops: Vec<_> = about.nodes.iter().map(|node| node.flops).collect();
    // Conv gives [4, 5, 4]: 80 numbers of 27 terms and a bias; the pool gives [4, 4, 2]. The shape
    // of f is not stated in full.
    let conv = 2 * 80 * 27 + 80;
    assert_eq!(
        flops,
        [Some(conv), Some(80), Some(32 * 4), None, Some(0), Some(2 * 10 * 48), Some(5 * 10), None]
    );
    assert_eq!((about.flops, about.flops_unknown), (conv + 80 + 128 + 960 + 50, 2));
    assert_eq!(
        (about.nodes[3].operator.as_str(), &about.nodes[0].shape),
        ("com.example.Twice", &None)
    );
    assert_eq!(about.nodes[5].shape, Some(vec![Size::Named("rows".into()), Size::Unknown]));
    let json = serde_json::to_value(&about).unwrap();
    assert_eq!(json["nodes"][5]["shape"], serde_json::json!(["rows", null]));
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!(["N", 3, 9, 8]));
}

#[test]
fn the_text_has_every_node_in_columns_and_no_long_lines() {
    let text = read(&foreign()).to_string();
    println!("{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "node   operator           output        parameters   FLOPs");
    assert_eq!(lines[1], "a!     Conv               ?                    112    4400");
    assert_eq!(lines[3], "c!     MaxPool            [N, 4, 4, 2]           0     128");
    assert_eq!(lines[4], "d!     com.example.Twice  ?                      0       ?");
    assert_eq!(lines[9], "total                                          595  ≥ 5618");
    assert!(
        text.contains("FLOPs       ≥ 5618 per row; not known for 2 of 8 nodes; with N = 1\n"),
        "{text}"
    );
    assert!(text.contains("metadata    made = by handby hand") && text.ends_with("…\n"), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() < 120), "{text}");
}

#[test]
fn numbers_of_our_own_graph_are_those_counted_by_hand() {
    let layers = |graph: &mut GraphBuilder, input: &Value| {
        let linear = |graph: &mut GraphBuilder,
                      scope,
                      input: &Value,
                      [outputs, inputs]: [usize; 2]| {
            let weight =
                graph.weight(scope, "weight", &[outputs, inputs], vec![0.5; outputs * inputs])?;
            let bias = graph.weight(scope, "bias", &[outputs], vec![0.5; outputs])?;
            graph.node(
                scope,
                "Gemm",
                &[&input.name, &weight, &bias],
                &[("transB", Attribute::Int(1))],
            )
        };
        let value = linear(graph, "0", input, [7, 5])?;
        let value = graph.node("1", "Tanh", &[&value.name], &[])?;
        let gamma = graph.weight("2", "gamma", &[7], vec![1.0; 7])?;
        let beta = graph.weight("2", "beta", &[7], vec![0.0; 7])?;
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(1e-5))];
        let value =
            graph.node("2", "LayerNormalization", &[&value.name, &gamma, &beta], &attributes)?;
        let value = linear(graph, "3", &value, [3, 7])?;
        graph.node("4", "Softmax", &[&value.name], &[("axis", Attribute::Int(-1))])
    };
    let graph = Graph::build(5, "classes", layers, Some((&[1.0; 5], &[2.0; 5]))).unwrap();
    let bytes = graph.to_bytes(&[("labels".into(), "abc".into())].into());
    let about = Overview::from_bytes(Path::new("x"), bytes.clone().into()).unwrap();
    assert_eq!(about.bytes, bytes.len() as u64);
    assert_eq!((about.flops_unknown, &about.counted_as_one), (0, &vec!["batch".to_owned()]));
    let nodes: Vec<_> = about
        .nodes
        .iter()
        .map(|node| (node.operator.as_str(), node.parameters, node.flops.unwrap()))
        .collect();
    let expected = [
        ("Sub", 5, 5),
        ("Mul", 5, 5),
        ("Gemm", 5 * 7 + 7, 2 * 5 * 7 + 7),
        ("Tanh", 0, 7),
        ("LayerNormalization", 14, 56),
        ("Gemm", 7 * 3 + 3, 2 * 7 * 3 + 3),
        ("Softmax", 0, 15),
    ];
    assert_eq!(nodes, expected);
    assert_eq!((about.parameters, about.flops), (90, 210));
    assert_eq!((about.parameters, about.initializer_bytes), (graph.parameters() as u64, 360));
    assert_eq!(about.metadata["labels"], "abc");
}

#[test]
fn sizes_that_the_file_does_not_state_are_found() {
    let flops = |graph: &[Fields]| read(graph).nodes.last().unwrap().flops;
    let x = value(11, "x", 1, &["N", "6", "12", "12"]);
    let weight =
        |dims: &[i64]| initializer("w", 1, dims, 4 * dims.iter().product::<i64>() as usize);
    // (12 + 1 + 2 − (2·2 + 1)) / 3 + 1 = 4 places high, (12 − 3) / 1 + 1 = 10 wide; 2 groups of 3
    // channels.
    let attributes = [
        ints("pads", &[1, 0, 2, 0]),
        ints("strides", &[3, 1]),
        ints("dilations", &[2, 1]),
        one("group", 2),
    ];
    let conv = node("Conv", &["x", "w"], "y", &attributes);
    assert_eq!(flops(&[x.clone(), weight(&[8, 3, 3, 3]), conv]), Some(2 * 8 * 4 * 10 * 27));
    let up = node("ConvTranspose", &["x", "w"], "y", &[]);
    assert_eq!(flops(&[x.clone(), weight(&[6, 2, 2, 2]), up]), Some(2 * 6 * 144 * 8));
    // (12 − 1) · 2 + 2 + 1 − 3 = 22 places high, (12 − 1) · 1 + 1 = 12 wide; 2 groups of 2
    // channels.
    let attributes = [
        ints("strides", &[2, 1]),
        ints("pads", &[1, 0, 2, 0]),
        ints("output_padding", &[1, 0]),
        ints("dilations", &[1, 3]),
        one("group", 2),
    ];
    let up = node("ConvTranspose", &["x", "w"], "y", &attributes);
    let both = node("Concat", &["y", "y"], "z", &[one("axis", -3)]);
    let relu = node("Relu", &["z"], "u", &[]);
    let graph = [x.clone(), weight(&[6, 2, 2, 1]), up, both, relu];
    assert_eq!(flops(&graph), Some(8 * 22 * 12));
    let steps = value(11, "x", 1, &["7", "N", "3"]);
    let (gates, gates_of_hidden) =
        (initializer("g", 1, &[2, 20, 3], 4 * 120), initializer("r", 1, &[2, 20, 5], 4 * 200));
    let lstm = node("LSTM", &["x", "g", "r", ""], "y", &[one("hidden_size", 5)]);
    let graph = [steps, gates, gates_of_hidden, lstm];
    assert_eq!(flops(&graph), Some(7 * 2 * 5 * (2 * 4 * (3 + 5) + 9)));
    let relu = node("Relu", &["y"], "z", &[]);
    assert_eq!(flops(&[&graph[..], &[relu]].concat()), Some(7 * 2 * 5));
    let chain = [
        x.clone(),
        weight(&[5, 864]),
        node("Flatten", &["x"], "a", &[]),
        node("Gemm", &["a", "w"], "b", &[one("transB", 1)]),
        node("Tanh", &["b"], "c", &[]),
    ];
    assert_eq!(
        read(&chain).nodes.iter().map(|node| node.flops).collect::<Vec<_>>(),
        [Some(0), Some(8640), Some(5)]
    );
    let turned = |perm: &[i64]| node("Transpose", &["x"], "t", &[ints("perm", perm)]);
    let product = node("MatMul", &["t", "w"], "y", &[]);
    assert_eq!(
        flops(&[x.clone(), weight(&[6, 7]), turned(&[0, 2, 3, 1]), product.clone()]),
        Some(2 * 12 * 12 * 7 * 6)
    );
    assert_eq!(flops(&[x.clone(), weight(&[6, 7]), turned(&[0, 2, 3, 9]), product]), None);
    let quantise =
        node("DynamicQuantizeLinear", &["x"], "q", &[bytes(2, "scale"), bytes(2, "zero")]);
    let scaled = node("Mul", &["scale", "w"], "y", &[]);
    let quantised = read(&[x.clone(), weight(&[3]), quantise, scaled]);
    assert_eq!(
        quantised.nodes.iter().map(|node| node.flops).collect::<Vec<_>>(),
        [Some(4 * 864), Some(3)]
    );
    let broadcast =
        |dims: &[i64]| flops(&[x.clone(), weight(dims), node("Mul", &["w", "x"], "y", &[])]);
    assert_eq!(
        [broadcast(&[2, 1, 12, 1]), broadcast(&[12]), broadcast(&[5])],
        [Some(2 * 864), Some(864), None]
    );
}

#[test]
fn constants_branches_and_shared_weights_are_counted_once() {
    let constant = |data: usize| {
        let tensor =
            message(5, &[packed(1, &[2, data as i64]), int(2, 1), bytes(9, vec![0; 8 * data])]);
        message(5, &[bytes(1, "value"), tensor, int(20, 4)])
    };
    let branch = message(
        6,
        &[initializer("inner", 1, &[5], 20), node("Constant", &[], "k", &[constant(1)])],
    );
    let about = read(&[
        initializer("w", 1, &[3], 12),
        value(11, "x", 1, &["N", "3"]),
        node("Mul", &["x", "w"], "a", &[]),
        node("Mul", &["w", "w"], "b", &[]),
        node("Constant", &[], "c", &[constant(3)]),
        node("If", &["x"], "d", &[message(5, &[bytes(1, "then_branch"), branch, int(20, 5)])]),
        node("ConstantOfShape", &["x"], "e", &[constant(1)]),
        node("Neg", &["c"], "f", &[]),
    ]);
    assert_eq!(
        about.nodes.iter().map(|node| node.parameters).collect::<Vec<_>>(),
        [3, 3, 6, 7, 0, 0]
    );
    assert_eq!((about.parameters, about.nodes[5].flops), (3 + 6 + 7, Some(6)));
}

#[test]
fn external_data_is_named_and_must_be_beside_the_file() {
    let about = read(&[
        external("w", "data/w.bin", &[1000, 1000]),
        external("v", "data/w.bin", &[1000, 1000]),
    ]);
    assert_eq!(
        (about.external_files, about.parameters),
        (vec!["data/w.bin".to_owned()], 2_000_000)
    );
    for location in ["/etc/passwd", "../w.bin", "a/../../w", "..\\w", "\\\\host\\w", "C:\\w", ""] {
        let error = refusal(file(&[external("w", location, &[2])]));
        assert!(
            error.contains(&format!("the tensor \"w\" keeps its data in {location:?}")),
            "{error}"
        );
    }
    let inner = message(6, &[external("deep", "../w.bin", &[2])]);
    let node = node("If", &[], "y", &[message(5, &[inner])]);
    assert!(refusal(file(&[node])).contains("\"deep\""));
}

#[test]
fn what_is_no_onnx_file_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    let missing = overview(&path).unwrap_err().to_string();
    assert!(missing.starts_with("read ") && missing.contains("x.onnx"), "{missing}");
    assert!(overview(folder.path()).unwrap_err().to_string().contains("it is not a file"));
    // Empty in the file system's sense: it takes no room on the disk.
    fs::File::create(&path).unwrap().set_len(1 << 31).unwrap();
    assert!(
        overview(&path)
            .unwrap_err()
            .to_string()
            .contains("it has 2147483648 bytes; an ONNX file has at most")
    );

    assert!(refusal(Vec::new()).contains("it is empty"));
    let good = file(&foreign());
    assert!(refusal(good[..good.len() / 2].to_vec()).contains("damaged"));
    assert!(refusal(b"0,1,2\n".to_vec()).contains("it is not an ONNX model"));
    assert!(refusal(int(1, 9)).contains("it has no graph"));
    assert!(refusal(message(7, &[])).contains("it states no IR version"));
    let refused = |dims: &[i64], data| refusal(file(&[initializer("w", 1, dims, data)]));
    assert!(
        refused(&[2, 3], 20)
            .contains("\"w\" of shape [2, 3] has 20 bytes of raw data; it must have 24")
    );
    assert!(refused(&[2, -3], 0).contains("negative size in [2, -3]"));
    assert!(refused(&[1 << 40], 0).contains("more numbers than a file can hold"));
    assert!(refused(&[i64::MAX, i64::MAX], 0).contains("more numbers than a file can hold"));
}

/// Reading ends in an overview that can be shown, or in one line.
fn survives(bytes: Vec<u8>) -> bool {
    match Overview::from_bytes(Path::new("x.onnx"), bytes.into()) {
        Ok(about) => !about.to_string().is_empty() && serde_json::to_string(&about).is_ok(),
        Err(error) => !error.to_string().contains('\n'),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(survives(bytes));
    }

    #[test]
    fn damaged_files_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<bool>()) {
        let mut bytes = file(&foreign());
        for (at, byte) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if cut {
            bytes.truncate(edits[0].0.index(bytes.len()));
        }
        prop_assert!(survives(bytes));
    }

    #[test]
    fn numbers_of_any_size_never_panic(
        dims in prop::collection::vec(any::<i64>(), 0..5),
        attribute in prop::collection::vec(prop_oneof![any::<i64>(), -2..4_i64], 0..5),
        op in prop::sample::select(super::operators::SINGLE.iter().chain(&FORMULAS).copied().collect::<Vec<_>>()),
    ) {
        let shape: Vec<_> = dims.iter().map(ToString::to_string).collect();
        let shape: Vec<_> = shape.iter().map(String::as_str).collect();
        let names = ["kernel_shape", "pads", "strides", "dilations", "perm"];
        let mut more: Vec<_> = names.iter().map(|name| ints(name, &attribute)).collect();
        more.extend(["axis", "transA", "ceil_mode"].iter().map(|name| one(name, attribute.first().copied().unwrap_or(0))));
        let inputs = ["x", "x", "x", "w"];
        prop_assert!(survives(file(&[value(11, "x", 1, &shape), external("w", "w.bin", &dims), node(op, &inputs, "y", &more)])));
        prop_assert!(survives(file(&[value(11, "x", 1, &shape), initializer("w", 1, &attribute, 0), node(op, &["x", "w"], "y", &more)])));
    }
}

const FORMULAS: [&str; 27] = [
    "Add",
    "Sum",
    "Mean",
    "MatMul",
    "QLinearMatMul",
    "Gemm",
    "Concat",
    "Conv",
    "ConvInteger",
    "QLinearConv",
    "ConvTranspose",
    "LSTM",
    "GRU",
    "Softmax",
    "BatchNormalization",
    "LayerNormalization",
    "QuantizeLinear",
    "ReduceSum",
    "ReduceL2",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Resize",
    "Flatten",
    "Transpose",
    "Constant",
    "Where",
];
