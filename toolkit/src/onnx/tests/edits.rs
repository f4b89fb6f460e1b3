//! Ways to plant a bug in a graph.

use super::super::graph::{Graph, Node};

pub fn node<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Node {
    graph.nodes.iter_mut().find(|node| node.name == name).unwrap_or_else(|| panic!("no node {name}"))
}

pub fn weight<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Vec<f32> {
    &mut graph.weights.iter_mut().find(|weight| weight.name == name).unwrap().data
}

/// The node's input instead of its output, everywhere.
pub fn leave_out(graph: &mut Graph, name: &str) {
    let at = graph.nodes.iter().position(|node| node.name == name).unwrap();
    let left_out = graph.nodes.remove(at);
    for input in graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
        if *input == left_out.output.name {
            input.clone_from(&left_out.inputs[0]);
        }
    }
}

/// An operator without attributes behind the node.
pub fn insert(graph: &mut Graph, name: &str, op: &str) {
    let at = graph.nodes.iter().position(|node| node.name == name).unwrap();
    let mut inserted = graph.nodes[at].clone();
    let before = format!("{name}.before");
    graph.nodes[at].output.name.clone_from(&before);
    (inserted.name, inserted.op) = (format!("{name}.inserted"), op.into());
    (inserted.inputs, inserted.attributes) = (vec![before], Default::default());
    graph.nodes.insert(at + 1, inserted);
}
