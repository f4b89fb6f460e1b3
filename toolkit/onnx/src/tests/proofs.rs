//! Bytes that are not those of their graph, and how much is recorded with a file.

use trainbook_core::random::{Seed, Stream};

use super::super::compare::compare;
use super::super::golden::Golden;
use super::super::subject::Subject;
use super::super::{Array, Attribute, Graph, GraphBuilder, Numbers, Value, Verifier};
use crate::Error;

/// From rows of five numbers to three.
fn linear(graph: &mut GraphBuilder, input: &Value) -> Result<Value, Error> {
    let mut draws = Stream::new(Seed(1), "onnx test").at(0, 0);
    let mut normal = |len: usize| (0..len).map(|_| draws.normal() as f32).collect();
    let weight = graph.weight("", "weight", &[3, 5], normal(15))?;
    let bias = graph.weight("", "bias", &[3], normal(3))?;
    graph.node("", "Gemm", &[&input.name, &weight, &bias], &[("transB", Attribute::Int(1))])
}

#[test]
fn bytes_that_compute_something_else_than_the_graph_are_refused() {
    let graph = Graph::build(5, "logits", linear, None).unwrap();
    let mut other = graph.clone();
    other.weights[1].data[0] += 1.0;
    let bytes = graph.to_bytes(&Default::default());
    let refuse = |reason| Error::Export { path: "x".into(), reason };
    let (engines, _) = Verifier::default().engines().unwrap();
    let subject = Subject {
        graph: &other,
        bytes: &bytes,
        batch: None,
        values: None,
        path: "x".as_ref(),
        engines: &engines,
        refuse: &refuse,
    };
    let mut draws = Stream::new(Seed(1), "onnx test").at(0, 9);
    let samples: Vec<f32> = (0..50 * 5).map(|_| draws.normal() as f32).collect();
    let error = compare(subject, None, &Numbers::F32(samples)).unwrap_err().to_string();
    assert!(error.contains("in ONNX Runtime with"), "{error}");
}

#[test]
fn rows_that_are_too_large_are_left_out_of_the_metadata() {
    let graph = Graph::build(5, "logits", linear, None).unwrap();
    let golden = |rows: usize, width: usize| Golden {
        inputs: vec![Array::f32([rows, width], vec![0.5; rows * width])],
        outputs: vec![Array::f32([rows, 3], vec![0.5; rows * 3])],
    };
    let rows = |golden: Golden| {
        golden.for_metadata(&graph).map(|text| text.matches("\"shape\":[").count())
    };
    assert_eq!(rows(golden(33, 5)), Some(2));
    assert!(golden(33, 5).for_metadata(&graph).unwrap().contains("\"shape\":[3,5]"));
    assert!(golden(33, 10_000).for_metadata(&graph).unwrap().contains("\"shape\":[1,10000]"));
    assert_eq!(rows(golden(33, 20_000)), None);
}
