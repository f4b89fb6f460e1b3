//! What must hold of every graph before its numbers are looked at.

use std::collections::BTreeMap;

use super::graph::{Dim, Graph};
use super::operator::Operator;

/// The largest number of features. A file that asks for more is damaged or hostile: a check would run out of memory.
pub(super) const MAX_WIDTH: usize = 1 << 20;

/// # Errors
/// The reason, in one line.
pub(super) fn verify(graph: &Graph) -> Result<(), String> {
    for value in [&graph.input, &graph.output] {
        match value.width() {
            Some(1..=MAX_WIDTH) => {}
            _ => {
                let shape = &value.shape;
                return Err(format!("{:?} has the shape {shape:?}; it must be [batch, 1 to {MAX_WIDTH}]", value.name));
            }
        }
    }
    let mut shapes = BTreeMap::from([(graph.input.name.as_str(), graph.input.shape.clone())]);
    for weight in &graph.weights {
        let name = &weight.name;
        let size = weight.shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim));
        if size != Some(weight.data.len()) {
            return Err(format!("{} numbers do not fill the shape {:?} of {name:?}", weight.data.len(), weight.shape));
        }
        if let Some(at) = weight.data.iter().position(|number| !number.is_finite()) {
            return Err(format!("{name}[{at}] is {}; every weight must be finite", weight.data[at]));
        }
        if shapes.insert(name, weight.shape.iter().copied().map(Dim::Fixed).collect()).is_some() {
            return Err(format!("two tensors or values are named {name:?}"));
        }
    }
    for node in &graph.nodes {
        let at_node = |reason| format!("node {:?}: {reason}", node.name);
        let operator = Operator::parse(&node.op, &node.attributes).map_err(at_node)?;
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let shape = shapes.get(input.as_str());
            inputs.push(shape.ok_or_else(|| at_node(format!("nothing before it is named {input:?}")))?);
        }
        let shape = operator.output_shape(&inputs).map_err(at_node)?;
        if shape != node.output.shape {
            return Err(at_node(format!("its output has the shape {shape:?}, not {:?}", node.output.shape)));
        }
        if node.output.name.is_empty() || shapes.insert(&node.output.name, shape).is_some() {
            return Err(at_node(format!("its output's name {:?} is empty or taken", node.output.name)));
        }
    }
    if graph.nodes.iter().all(|node| node.output != graph.output) {
        return Err(format!("no node gives the output {:?} of shape {:?}", graph.output.name, graph.output.shape));
    }
    Ok(())
}
