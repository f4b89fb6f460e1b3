//! Ways to plant a bug in a graph. The tests that do it export dfdx's networks, so they stand in
//! `trainbook-nn`, from where a graph cannot be changed otherwise. No part of the interface: this
//! changes without notice.

use std::collections::BTreeMap;

use super::decode;
use super::golden::{GOLDEN, Golden};
use super::graph::{Attribute, Graph};
use super::value::Value;

/// What a bug may change of a node; of its outputs, the first.
pub struct NodeMut<'a> {
    pub op: &'a mut String,
    pub inputs: &'a mut Vec<String>,
    pub output: &'a mut Value,
    pub attributes: &'a mut BTreeMap<String, Attribute>,
}

/// # Panics
/// There is no such node.
#[allow(clippy::panic, reason = "for tests")]
pub fn node<'a>(graph: &'a mut Graph, name: &str) -> NodeMut<'a> {
    let node = graph
        .nodes
        .iter_mut()
        .find(|node| node.name == name)
        .unwrap_or_else(|| panic!("no node {name}"));
    NodeMut {
        op: &mut node.op,
        inputs: &mut node.inputs,
        output: &mut node.outputs[0],
        attributes: &mut node.attributes,
    }
}

/// Every node's name and that of its first output.
pub fn nodes(graph: &Graph) -> impl Iterator<Item = (&str, &str)> {
    graph.nodes.iter().map(|node| (node.name.as_str(), node.outputs[0].name.as_str()))
}

pub fn inputs(graph: &mut Graph) -> &mut [Value] {
    &mut graph.inputs
}

/// # Panics
/// There is no such weight.
#[allow(clippy::panic, reason = "for tests")]
pub fn weight<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Vec<f32> {
    let found = graph.weights.iter_mut().find(|weight| weight.name == name);
    &mut found.unwrap_or_else(|| panic!("no weight {name}")).data
}

/// # Panics
/// There is no such row of integers.
#[allow(clippy::panic, reason = "for tests")]
pub fn integers<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Vec<i64> {
    let found = graph.integers.iter_mut().find(|row| row.name == name);
    &mut found.unwrap_or_else(|| panic!("no integers {name}")).data
}

/// The node's input instead of its output, everywhere.
///
/// # Panics
/// There is no such node.
pub fn leave_out(graph: &mut Graph, name: &str) {
    let left_out = graph.nodes.remove(position(graph, name));
    for input in graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
        if *input == left_out.outputs[0].name {
            input.clone_from(&left_out.inputs[0]);
        }
    }
}

/// An operator without attributes behind the node.
///
/// # Panics
/// There is no such node.
pub fn insert(graph: &mut Graph, name: &str, op: &str) {
    let at = position(graph, name);
    let mut inserted = graph.nodes[at].clone();
    let before = format!("{name}.before");
    graph.nodes[at].outputs[0].name.clone_from(&before);
    (inserted.name, inserted.op) = (format!("{name}.inserted"), op.into());
    (inserted.inputs, inserted.attributes) = (vec![before], Default::default());
    graph.nodes.insert(at + 1, inserted);
}

#[allow(clippy::panic, reason = "for tests")]
fn position(graph: &Graph, name: &str) -> usize {
    graph
        .nodes
        .iter()
        .position(|node| node.name == name)
        .unwrap_or_else(|| panic!("no node {name}"))
}

/// How far what the graph of a file computes is from the rows in its metadata, even if it was
/// changed after the export; `None` for a file that cannot be read or has none.
pub fn golden_difference(bytes: &[u8]) -> Option<f64> {
    let opened = decode::open(&decode::parse(bytes).ok()?, bytes).ok()?;
    let golden = Golden::from_metadata(opened.metadata.get(GOLDEN)?, &opened.graph).ok()?;
    Some(golden.farthest(&opened.graph).ok()??.difference())
}
