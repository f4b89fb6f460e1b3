//! Says where a file computes something else.

use super::array::Array;
use super::graph::Value;
use super::reference::{self, Margined, outputs_of, widen};
use super::subject::{Side, Subject, Worst};
use super::{encode, foreign};
use crate::Error;

/// The largest difference, and the first node that differs.
///
/// # Errors
/// What an engine fails with.
pub(super) fn describe(subject: Subject<'_>, worst: &Worst) -> Result<String, Error> {
    let Subject { graph, refuse, .. } = subject;
    let who = worst.side.name();
    let difference = if worst.found.is_finite() {
        let difference = (worst.found - worst.exact).abs();
        format!("they differ by {difference:.3e}, f32 rounding explains {:.3e}", worst.margin)
    } else {
        "every output must be finite".into()
    };
    let values = reference::evaluate(graph, widen(&worst.inputs)).map_err(refuse)?;
    let place = first_difference(subject, worst, &values)?;
    let shape = &outputs_of(graph, values)[worst.output].shape;
    let batch = worst.inputs.first().map_or(0, |input| input.shape[0]);
    Ok(format!(
        "on {} inputs, batch {batch}, {}[{}] is {} in {who} but {:.9} in the f64 evaluation of the graph: {difference}; {place}",
        worst.kind,
        graph.outputs[worst.output].name,
        index(worst.at, shape),
        // As the trainer and the engines hold it.
        worst.found as f32,
        worst.exact,
    ))
}

/// Where an engine leaves the f64 evaluation, with every value between nodes as an output.
fn first_difference(
    subject: Subject<'_>,
    worst: &Worst,
    exact: &std::collections::BTreeMap<String, Margined>,
) -> Result<String, Error> {
    let Subject { graph, path, engines, bytes, values: named, .. } = subject;
    let engine = match worst.side {
        Side::Trainer => engines.first().copied(),
        Side::Engine(engine) => Some(engine),
    };
    let Some(engine) = engine else { return Ok(String::new()) };
    let (bytes, between): (_, Vec<&Value>) = match named {
        None => (encode::model_bytes_with_all_outputs(graph), graph.values_between().collect()),
        Some(named) => {
            let between = || {
                let values = graph.values_between();
                values.filter(|value| named.contains(&value.name) && !graph.outputs.contains(value))
            };
            let all = graph.outputs.iter().chain(between());
            (foreign::with_outputs(bytes, between()), all.collect())
        }
    };
    let found = engine.load(path, &bytes)?.run(&worst.inputs)?;
    let mut found: Vec<(&Value, Vec<f64>)> =
        between.into_iter().zip(found.iter().map(Array::widen)).collect();
    let place = |value: &Value| graph.values_between().position(|other| other == value);
    found.sort_by_key(|(value, _)| place(value));
    for (value, found) in found {
        let Some(Margined { values, margins, .. }) = exact.get(&value.name) else { continue };
        let inside = |((found, exact), margin): ((&f64, &f64), &f64)| {
            (found - exact).abs() <= engine.patience() * margin
        };
        if found.len() != values.len() || !found.iter().zip(values).zip(margins).all(inside) {
            let node = graph.nodes.iter().find(|node| node.outputs.contains(value));
            let (name, op) =
                node.map(|node| (&node.name, &node.op)).unwrap_or((&value.name, &value.name));
            return Ok(format!("the first node that differs is {name:?} ({op})"));
        }
    }
    Ok(match worst.side {
        Side::Trainer => format!(
            "{} agrees with the f64 evaluation at every node, so the graph states something else than the trainer computes",
            engine.name()
        ),
        Side::Engine(_) => {
            "no node differs when its output is looked at, so an optimisation over several nodes does".into()
        }
    })
}

/// Where a number stands: "2, 0, 5".
pub(super) fn index(mut at: usize, shape: &[usize]) -> String {
    let mut parts = Vec::with_capacity(shape.len());
    for &size in shape.iter().rev() {
        parts.push((at % size).to_string());
        at /= size;
    }
    parts.reverse();
    parts.join(", ")
}
