//! Every operator against onnx's reference evaluator and ONNX Runtime: the numbers are in
//! `tests/fixtures/operators.json`, which `tests/python/make_operator_fixtures.py` writes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::compare::compare;
use super::super::engine::Engine;
use super::super::reference::{self, Margined, outputs_of, widen};
use super::super::subject::Subject;
use super::super::value::{BATCH, Dim};
use super::super::{Array, Attribute, Graph, Numbers, Overview, Value, Values, Verifier};
use crate::Error;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    name: String,
    /// Whether not every number can be taken.
    domain: bool,
    inputs: Vec<Tensor>,
    weights: Vec<Tensor>,
    integers: Vec<Integers>,
    nodes: Vec<Node>,
    outputs: Vec<Output>,
}

#[derive(Clone, Deserialize)]
struct Tensor {
    name: String,
    /// Dimensions that are left open, with their names.
    #[serde(default)]
    free: BTreeMap<usize, String>,
    shape: Vec<usize>,
    data: Vec<f32>,
}

#[derive(Clone, Deserialize)]
struct Integers {
    name: String,
    data: Vec<i64>,
}

#[derive(Clone, Deserialize)]
struct Node {
    op: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Deserialize)]
struct Output {
    name: String,
    shape: Vec<usize>,
    exact: Vec<f64>,
    float: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/operators.json");
    let fixture: Fixture = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    fixture.cases
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"))
}

fn attribute(value: &serde_json::Value) -> Attribute {
    match value {
        serde_json::Value::String(text) => Attribute::Text(text.clone()),
        serde_json::Value::Array(list) => {
            Attribute::Ints(list.iter().map(|entry| entry.as_i64().unwrap()).collect())
        }
        number => match number.as_i64() {
            Some(number) => Attribute::Int(number),
            None => Attribute::Float(number.as_f64().unwrap() as f32),
        },
    }
}

impl Case {
    fn graph(&self) -> Result<Graph, Error> {
        let input = |tensor: &Tensor| {
            let dims =
                tensor.shape.iter().enumerate().map(|(i, &size)| match tensor.free.get(&i) {
                    _ if i == 0 => BATCH.into(),
                    Some(name) => name.as_str().into(),
                    None => size.into(),
                });
            Value::f32(&tensor.name, dims.collect::<Vec<Dim>>())
        };
        let inputs: Vec<Value> = self.inputs.iter().map(input).collect();
        let names: Vec<String> =
            self.outputs.iter().map(|out| format!("{} out", out.name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Graph::build_on(&inputs, &names, |graph, _| {
            let mut known: BTreeMap<&str, Value> =
                self.inputs.iter().map(|tensor| tensor.name.as_str()).zip(inputs.clone()).collect();
            for weight in &self.weights {
                graph.weight("", &weight.name, &weight.shape, weight.data.clone())?;
            }
            for row in &self.integers {
                graph.integers("", &row.name, row.data.clone())?;
            }
            for node in &self.nodes {
                let inputs: Vec<&str> = node
                    .inputs
                    .iter()
                    .map(|name| match known.get(name.as_str()) {
                        _ if name == "-" => "",
                        Some(value) => value.name.as_str(),
                        None => name,
                    })
                    .collect();
                let attributes: Vec<(&str, Attribute)> = node
                    .attributes
                    .iter()
                    .map(|(name, value)| (name.as_str(), attribute(value)))
                    .collect();
                let count = node.outputs.len();
                let given = graph.node_with_outputs("", &node.op, &inputs, &attributes, count)?;
                known.extend(node.outputs.iter().map(String::as_str).zip(given));
            }
            let returned =
                self.outputs.iter().map(|out| Values::One(known[out.name.as_str()].clone()));
            Ok(Values::Tuple(returned.collect()))
        })
    }

    fn arrays(&self) -> Vec<Array> {
        let array = |input: &Tensor| Array::f32(input.shape.clone(), input.data.clone());
        self.inputs.iter().map(array).collect()
    }

    fn evaluated(&self) -> Result<Vec<Margined>, String> {
        let graph = self.graph().map_err(|error| error.to_string())?;
        Ok(outputs_of(&graph, reference::evaluate(&graph, widen(&self.arrays()))?))
    }

    /// Where a number that ONNX Runtime gave is outside of its margin; the shape does not matter.
    fn outside(&self) -> Result<Option<String>, String> {
        for (output, ours) in self.outputs.iter().zip(self.evaluated()?) {
            if ours.values.len() != output.float.len() {
                return Err(format!("{} has {} numbers", output.name, ours.values.len()));
            }
            for (at, &found) in output.float.iter().enumerate() {
                let (exact, margin) = ours.number(at);
                if (f64::from(found) - exact).abs() > margin {
                    return Ok(Some(format!("{}[{at}]: {found}, {exact} ± {margin}", output.name)));
                }
            }
        }
        Ok(None)
    }

    fn ints(&mut self, node: usize, name: &str) -> &mut Vec<serde_json::Value> {
        self.nodes[node].attributes.get_mut(name).unwrap().as_array_mut().unwrap()
    }

    fn set(&mut self, node: usize, name: &str, value: impl Into<serde_json::Value>) {
        self.nodes[node].attributes.insert(name.to_owned(), value.into());
    }

    fn weight(&mut self, name: &str) -> &mut Tensor {
        self.weights.iter_mut().find(|weight| weight.name == name).unwrap()
    }

    fn row(&mut self, name: &str) -> &mut Vec<i64> {
        &mut self.integers.iter_mut().find(|row| row.name == name).unwrap().data
    }
}

#[test]
fn operators_give_what_the_reference_evaluator_gives() {
    for case in cases() {
        let ours = case.evaluated().unwrap_or_else(|reason| panic!("{}: {reason}", case.name));
        for (output, ours) in case.outputs.iter().zip(ours) {
            let place = format!("{}, {}", case.name, output.name);
            assert_eq!(ours.shape, output.shape, "{place}");
            let largest = ours.values.iter().fold(1.0_f64, |largest, y| largest.max(y.abs()));
            for (at, &exact) in output.exact.iter().enumerate() {
                let (y, margin) = ours.number(at);
                let far = (y - exact).abs();
                assert!(far <= 1e-9 * exact.abs().max(1.0), "{place}[{at}]: {y}, not {exact}");
                // Not so wide that nothing could be outside.
                assert!(margin <= 3e-5 * largest, "{place}[{at}]: {y} ± {margin}");
            }
        }
    }
}

#[test]
fn onnx_runtime_stays_within_the_margins() {
    for case in cases() {
        assert_eq!(case.outside(), Ok(None), "{}", case.name);
    }
}

#[test]
fn files_come_back_as_they_were_and_say_what_they_cost() {
    for case in cases() {
        let graph = case.graph().unwrap();
        let bytes = graph.to_bytes(&Default::default());
        let (read, _) = Graph::from_bytes("x".as_ref(), &bytes).unwrap();
        assert_eq!(read, graph, "{}", case.name);
        let about = Overview::from_bytes("x".as_ref(), bytes.into()).unwrap();
        assert_eq!(about.flops_unknown, 0, "{}", case.name);
    }
}

/// Of one row, and of one step where the length is open.
#[test]
fn flops_are_those_counted_by_hand() {
    let flops = |name: &str| {
        let bytes = case(name).graph().unwrap().to_bytes(&Default::default());
        Overview::from_bytes("x".as_ref(), bytes.into()).unwrap().flops
    };
    assert_eq!(flops("LSTM bidirectional"), 2 * 3 * (4 * (2 * (2 + 3) + 2) + 9));
    assert_eq!(flops("GRU forward"), 3 * (3 * (2 * (2 + 3) + 2) + 8));
    assert_eq!(flops("LSTM without biases"), 4 * 3 * (4 * 2 * (2 + 3) + 9));
    assert_eq!(flops("Conv"), 2 * (4 * 4 * 4) * (3 * 3 * 2));
    assert_eq!(flops("MaxPool"), 3 * 5 * 3 * 6);
    assert_eq!(flops("ReduceSum"), 3 * 4 * 5);
    assert_eq!(flops("Pad") + flops("Split") + flops("Slice") + flops("Concat"), 0);
}

/// With and without its optimisations, on all kinds of inputs, batches and lengths.
#[test]
fn files_are_proved_in_onnx_runtime() {
    let refuse = |reason| Error::Export { path: "x".into(), reason };
    let (engines, _) = Verifier::default().engines().unwrap();
    let engines: Vec<Engine> = engines.into_iter().filter(|engine| !engine.is_second()).collect();
    for case in cases().into_iter().filter(|case| !case.domain) {
        let graph = case.graph().unwrap();
        let bytes = graph.to_bytes(&Default::default());
        let subject = Subject {
            graph: &graph,
            bytes: &bytes,
            batch: None,
            values: None,
            path: "x".as_ref(),
            engines: &engines,
            refuse: &refuse,
        };
        if let Err(error) = compare(subject, None, &Numbers::default()) {
            panic!("{}: {error}", case.name);
        }
    }
}

/// A change that leaves a graph that can be evaluated, and gives other numbers.
type Bug = fn(&mut Case);

#[test]
fn a_planted_bug_leaves_the_margins() {
    let bugs: [(&str, &str, Bug); 31] = [
        ("Conv with pads", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("Conv with pads", "left and right", |case| case.ints(0, "pads").swap(1, 3)),
        ("Conv with everything", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("Conv with strides", "stride off by one", |case| case.set(0, "strides", vec![3, 3])),
        ("Conv with dilations", "no dilation", |case| {
            case.set(0, "dilations", vec![1, 1]);
        }),
        ("Conv with everything", "groups interleaved", interleaved),
        ("Conv with everything", "bias reversed", |case| case.weight("b").data.reverse()),
        ("Conv of series", "ends", |case| case.ints(0, "pads").swap(0, 1)),
        ("ConvTranspose with pads", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("ConvTranspose with everything", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("ConvTranspose with everything", "groups interleaved", interleaved),
        ("ConvTranspose with strides", "left and right", |case| case.ints(0, "pads").swap(1, 3)),
        ("ConvTranspose", "kernel turned", |case| {
            case.weight("w").data.chunks_mut(6).for_each(<[f32]>::reverse);
        }),
        ("MaxPool with pads", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("MaxPool with strides", "stride off by one", |case| case.set(0, "strides", vec![3, 2])),
        ("AveragePool with pads", "pads not counted", |case| case.set(0, "count_include_pad", 0)),
        ("AveragePool without pads", "pads counted", |case| case.set(0, "count_include_pad", 1)),
        ("AveragePool without pads", "top and bottom", |case| case.ints(0, "pads").swap(0, 2)),
        ("InstanceNormalization", "another epsilon", |case| case.set(0, "epsilon", 0.0101)),
        ("Concat", "another axis", |case| case.set(0, "axis", 1)),
        ("Concat", "another order", |case| case.nodes[0].inputs.reverse()),
        ("Slice", "off by one", |case| *case.row("from") = vec![0, -1]),
        ("Pad with a number", "before and behind", |case| case.row("pads").swap(2, 5)),
        ("Split evenly", "another order", |case| case.nodes[0].outputs.reverse()),
        ("Where Greater", "the other way", |case| case.nodes[1].inputs.swap(1, 2)),
        ("Clip", "another bound", |case| case.weight("high").data[0] = 0.700_01),
        ("ReduceSum that keeps", "the mean", |case| {
            case.nodes[0].op = "ReduceMean".into();
            case.nodes[0].inputs.pop();
            case.set(0, "axes", vec![2]);
        }),
        ("LSTM bidirectional", "PyTorch's gates", pytorch_gates),
        ("GRU forward", "PyTorch's gates", pytorch_gates),
        ("GRU forward", "linear before reset", |case| case.set(1, "linear_before_reset", 1)),
        ("LSTM bidirectional", "directions swapped", |case| {
            for name in ["w", "r", "b"] {
                let data = &mut case.weight(name).data;
                let half = data.len() / 2;
                data.rotate_left(half);
            }
        }),
    ];
    for (name, what, plant) in bugs {
        let mut case = case(name);
        plant(&mut case);
        let found = case.outside();
        assert!(matches!(found, Ok(Some(_))), "{name}, {what}: {found:?}");
    }
}

/// Channels of a group that stand apart instead of together.
fn interleaved(case: &mut Case) {
    let picked = Integers { name: "picked".into(), data: vec![0, 2, 1, 3] };
    case.integers.push(picked);
    let gather = Node {
        op: "Gather".into(),
        inputs: vec!["x".into(), "picked".into()],
        outputs: vec!["apart".into()],
        attributes: [("axis".to_owned(), 1.into())].into(),
    };
    case.nodes.insert(0, gather);
    case.nodes[1].inputs[0] = "apart".into();
}

/// PyTorch's LSTM has the gates input, forget, cell, output; its GRU reset, update, hidden.
fn pytorch_gates(case: &mut Case) {
    let order: &[usize] = if case.name.starts_with("LSTM") { &[0, 2, 3, 1] } else { &[1, 0, 2] };
    for name in ["w", "r", "b"] {
        let weight = case.weight(name);
        // The hidden size is 3; biases are those of the input, then the recurrent ones.
        let of_gate = if name == "b" { 3 } else { 3 * weight.shape[2] };
        let whole = order.len() * of_gate;
        weight.data = weight
            .data
            .chunks_exact(whole)
            .flat_map(|gates| order.iter().flat_map(|&gate| &gates[gate * of_gate..][..of_gate]))
            .copied()
            .collect();
    }
}

#[test]
fn what_would_mix_rows_or_does_not_fit_is_refused() {
    let bugs: [(&str, &str, Bug); 14] = [
        ("Conv with everything", "one group", |case| case.set(0, "group", 1)),
        ("ConvTranspose with everything", "one group", |case| case.set(0, "group", 3)),
        ("Conv", "auto_pad", |case| case.set(0, "auto_pad", "VALID")),
        ("Conv of series of any length", "another length", |case| case.set(0, "pads", vec![0, 1])),
        ("MaxPool with pads", "pads alone", |case| case.set(0, "pads", vec![3, 0, 1, 1])),
        ("MaxPool with everything", "rounded up", |case| case.set(0, "ceil_mode", 1)),
        ("Concat", "the batch", |case| case.set(0, "axis", 0)),
        ("Split evenly", "the batch", |case| case.set(0, "axis", 0)),
        ("Split", "other sizes", |case| *case.row("parts") = vec![1, 2, 1]),
        ("Slice", "the batch", |case| *case.row("along") = vec![0, 3]),
        ("Slice of the last step", "two steps", |case| *case.row("from") = vec![-2]),
        ("Pad with a number", "the batch", |case| case.row("pads")[0] = 1),
        ("Reshape with the batch inside", "across the batch", |case| {
            *case.row("shape") = vec![2, 1, 0, 6, 2];
        }),
        ("LSTM forward", "the batch first", |case| {
            case.nodes[0].attributes.insert("perm".into(), vec![0, 1, 2].into());
        }),
    ];
    for (name, what, plant) in bugs {
        let mut case = case(name);
        case.graph().unwrap();
        plant(&mut case);
        assert!(case.graph().is_err(), "{name}, {what}");
    }
}
