//! What must hold of every graph before its numbers are looked at.

use std::collections::BTreeMap;

use super::graph::Graph;
use super::operator::{Operand, Operator};
use super::value::{BATCH, Dim, Element, MAX_WIDTH, MEMORY, SEQUENCE, Value};

/// # Errors
/// The reason, in one line.
pub(super) fn verify(graph: &Graph) -> Result<(), String> {
    if graph.inputs.is_empty() || graph.outputs.is_empty() {
        return Err(format!(
            "it has {} inputs and {} outputs",
            graph.inputs.len(),
            graph.outputs.len()
        ));
    }
    let mut shapes: BTreeMap<&str, (Element, Vec<Dim>)> = BTreeMap::new();
    let mut floats: BTreeMap<&str, &[f32]> = BTreeMap::new();
    let mut integers: BTreeMap<&str, &[i64]> = BTreeMap::new();
    for input in &graph.inputs {
        size(input)?;
        if input.name.is_empty()
            || shapes.insert(&input.name, (input.element, input.shape.clone())).is_some()
        {
            return Err(format!("the input's name {:?} is empty or taken", input.name));
        }
    }
    for weight in &graph.weights {
        let name = &weight.name;
        let size = weight.shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim));
        if size != Some(weight.data.len()) {
            return Err(format!(
                "{} numbers do not fill the shape {} of {name:?}",
                weight.data.len(),
                Value::sizes(&weight.shape)
            ));
        }
        if let Some(at) = weight.data.iter().position(|number| !number.is_finite()) {
            return Err(format!(
                "{name}[{at}] is {}; every weight must be finite",
                weight.data[at]
            ));
        }
        let shape = weight.shape.iter().copied().map(Dim::Fixed).collect();
        if shapes.insert(name, (Element::F32, shape)).is_some() {
            return Err(format!("two tensors or values are named {name:?}"));
        }
        floats.insert(name, &weight.data);
    }
    for row in &graph.integers {
        if shapes.insert(&row.name, (Element::I64, vec![Dim::Fixed(row.data.len())])).is_some() {
            return Err(format!("two tensors or values are named {:?}", row.name));
        }
        integers.insert(&row.name, &row.data);
    }
    for node in &graph.nodes {
        let at_node = |reason| format!("node {:?}: {reason}", node.name);
        let operator = Operator::parse(&node.op, &node.attributes).map_err(at_node)?;
        let mut operands = Vec::with_capacity(node.inputs.len());
        for input in operator.given(&node.inputs).map_err(at_node)? {
            if input.is_empty() {
                operands.push(Operand::ABSENT);
                continue;
            }
            let known = shapes
                .get(input)
                .ok_or_else(|| at_node(format!("nothing before it is named {input:?}")))?;
            operands.push(Operand {
                element: known.0,
                shape: &known.1,
                floats: floats.get(input).copied().unwrap_or_default(),
                integers: integers.get(input).copied().unwrap_or_default(),
            });
        }
        let found = operator.outputs(&operands, node.outputs.len()).map_err(at_node)?;
        for ((element, shape), stated) in found.into_iter().zip(&node.outputs) {
            if shape != stated.shape || element != stated.element {
                let output = Value { name: stated.name.clone(), element, shape };
                return Err(at_node(format!("its output is {output}, not {stated}")));
            }
            if row_len(&shape).is_some_and(|len| len > MAX_WIDTH) {
                return Err(at_node(format!(
                    "one row of its output has more than {MAX_WIDTH} numbers"
                )));
            }
            if stated.name.is_empty() || shapes.insert(&stated.name, (element, shape)).is_some() {
                return Err(at_node(format!(
                    "its output's name {:?} is empty or taken",
                    stated.name
                )));
            }
        }
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        size(output)?;
        if graph.nodes.iter().all(|node| !node.outputs.contains(output))
            || graph.outputs[..i].contains(output)
        {
            let shape = Value::shown(&output.shape);
            return Err(format!(
                "no node gives the output {:?} of shape {shape} alone",
                output.name
            ));
        }
    }
    for input in graph.inputs.iter().filter(|input| input.element == Element::I64) {
        vocabulary(graph, &input.name)?;
    }
    Ok(())
}

/// How many numbers belong to one row, wherever the batch stands, if that is known.
pub(super) fn row_len(shape: &[Dim]) -> Option<usize> {
    let rest = shape.iter().filter(|dim| **dim != BATCH.into());
    // More than can be counted is too many.
    let sizes: Vec<usize> = rest.map(Dim::size).collect::<Option<_>>()?;
    Some(sizes.into_iter().fold(1_usize, usize::saturating_mul))
}

/// Refuses an input or output that is not a batch of rows of a usable size.
pub(super) fn size(value: &Value) -> Result<(), String> {
    let usable = |dim: &Dim| match dim {
        Dim::Fixed(size) => (1..=MAX_WIDTH).contains(size),
        Dim::Named(name) => name == SEQUENCE || name == MEMORY,
    };
    let rest = value.shape.get(1..).unwrap_or_default();
    let small = value.row_len().is_none_or(|len| len <= MAX_WIDTH);
    let many = rest
        .iter()
        .filter_map(Dim::size)
        .try_fold(1_usize, |product, size| product.checked_mul(size));
    let numbers = value.element != Element::Bool;
    if numbers
        && Value::is_batched(&value.shape)
        && small
        && many.is_some()
        && rest.iter().all(usable)
    {
        return Ok(());
    }
    Err(format!(
        "{:?} has the shape {}; it must be [{BATCH}, …] with 1 to {MAX_WIDTH} numbers a row, and {SEQUENCE:?} and {MEMORY:?} as the \
         only other sizes that are chosen at a run",
        value.name,
        Value::shown(&value.shape)
    ))
}

/// The integers that an input may hold are 0 to this, without it.
///
/// # Errors
/// The reason, if no node looks anything up by them.
pub(super) fn vocabulary(graph: &Graph, input: &str) -> Result<usize, String> {
    let looked_up = graph
        .nodes
        .iter()
        .filter(|node| node.op == "Gather" && node.inputs.get(1).is_some_and(|i| i == input));
    let tables = looked_up.filter_map(|node| {
        graph.weights.iter().find(|weight| node.inputs.first() == Some(&weight.name))
    });
    let sizes = tables.filter_map(|table| table.shape.first().copied());
    match sizes.min() {
        Some(size) if size > 0 => Ok(size),
        _ => Err(format!("nothing says which integers {input:?} may hold")),
    }
}

/// For each number of a row of this input whether the graph takes ln(1 + x) of it, as a normalisation
/// does: `Log(Add(x, 1))`, or `Log(Add(Mul(x, mask), 1))` with a mask of 0 and 1. Empty if it takes none.
pub(super) fn under_logarithm(graph: &Graph, input: &Value) -> Vec<bool> {
    let width = input.row_len().unwrap_or_default();
    let weight = |name: &String| graph.weights.iter().find(|weight| weight.name == *name);
    let made_by = |name: &String| {
        graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output.name == *name))
    };
    for logarithm in graph.nodes.iter().filter(|node| node.op == "Log") {
        let Some(shifted) = logarithm.inputs.first().and_then(made_by) else { continue };
        let ("Add", [x, one]) = (shifted.op.as_str(), shifted.inputs.as_slice()) else { continue };
        if weight(one).is_none_or(|one| one.data != [1.0]) {
            continue;
        }
        if *x == input.name {
            return vec![true; width];
        }
        let Some(picked) = made_by(x) else { continue };
        let ("Mul", [x, mask]) = (picked.op.as_str(), picked.inputs.as_slice()) else { continue };
        let mask = weight(mask).filter(|mask| *x == input.name && mask.data.len() == width);
        if let Some(mask) = mask {
            return mask.data.iter().map(|&picks| picks != 0.0).collect();
        }
    }
    Vec::new()
}
