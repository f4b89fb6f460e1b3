//! The comparison behind export and check: trainer, ONNX Runtime and the f64 evaluation, on batches × optimisation × inputs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::array::Array;
use super::graph::Graph;
use super::inputs::{BATCHES, InputSet, input_sets};
use super::reference::{self, Margined};
use super::runtime::Runtime;
use super::session::Session;
use super::{Forward, encode};
use crate::Error;

/// What was compared and how close it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many times ONNX Runtime ran: batch sizes × optimisation levels × kinds of input (× lengths of sequences, if those are free).
    pub comparisons: usize,
    /// The largest |trainer − ONNX Runtime|, or |f64 evaluation − ONNX Runtime| where there is no trainer.
    pub max_abs_diff: f64,
    /// The same on training-like (or random) rows alone, where outputs have their usual size.
    pub usual_abs_diff: f64,
    /// The largest error of the trainer's f32 against the f64 evaluation; 0 where there is no trainer.
    pub max_trainer_error: f64,
    /// The largest error of ONNX Runtime's f32 against the f64 evaluation.
    pub max_runtime_error: f64,
    /// The largest share of its margin that any number used: 1 would be at the limit of what f32 rounding explains.
    pub margin_used: f64,
}

/// Who gave a number.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Trainer,
    Runtime { optimize: bool },
}

/// The number that is farthest outside its margin.
struct Worst {
    side: Side,
    kind: &'static str,
    set: usize,
    batch: usize,
    output: usize,
    at: usize,
    found: f32,
    exact: f64,
    margin: f64,
    excess: f64,
}

/// Proves that the model in `bytes`, which encode `graph`, computes in ONNX Runtime what `forward` (if there is one) and the f64 evaluation
/// compute. `samples` are rows like those of training, or empty.
///
/// # Errors
/// What `refuse` makes of the reason, or what `forward` or ONNX Runtime fail with.
pub(super) fn compare(
    (graph, bytes): (&Graph, &[u8]),
    (runtime, path): (&Runtime, &Path),
    forward: Option<&Forward<'_>>,
    samples: &[f32],
    refuse: &dyn Fn(String) -> Error,
) -> Result<Comparison, Error> {
    let sessions = [false, true].map(|optimize| Ok((optimize, Session::from_bytes(runtime, path, bytes, optimize)?)));
    let sessions = sessions.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let sets = input_sets(graph, samples)?;
    let mut comparison = Comparison::default();
    let mut worst: Option<Worst> = None;
    for (set, InputSet { kind, usual, arrays }) in sets.iter().enumerate() {
        let exact = outputs_of(graph, reference::evaluate(graph, widen(arrays)).map_err(refuse)?);
        check_exact(graph, kind, &exact).map_err(refuse)?;
        for batch in BATCHES {
            let inputs: Vec<Array> = arrays.iter().map(|array| array.first_rows(batch)).collect();
            let lens: Vec<usize> = exact.iter().map(|exact| exact.values.len() / exact.shape[0] * batch).collect();
            let trainer = forward.map(|forward| forward(&inputs)).transpose()?;
            if let Some(trainer) = &trainer {
                let found = trainer.iter().map(Vec::len);
                check_lens("the trainer gives", graph, batch, found.collect(), &lens).map_err(refuse)?;
            }
            let mut judge = |side, output: usize, found: &[f32], error: &mut f64| {
                for (at, &found) in found.iter().enumerate() {
                    let (exact, margin) = exact[output].number(at);
                    let difference = (f64::from(found) - exact).abs();
                    // NaN counts as infinitely far.
                    let excess =
                        if found.is_finite() { difference / margin.max(f64::MIN_POSITIVE) } else { f64::INFINITY };
                    *error = error.max(difference);
                    comparison.margin_used = comparison.margin_used.max(excess);
                    if excess > 1.0 && worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                        worst = Some(Worst { side, kind, set, batch, output, at, found, exact, margin, excess });
                    }
                }
            };
            for (output, trainer) in trainer.iter().flatten().enumerate() {
                judge(Side::Trainer, output, trainer, &mut comparison.max_trainer_error);
            }
            for (optimize, session) in &sessions {
                let found = session.run(&inputs)?;
                let found_lens = found.iter().map(Array::len).collect();
                check_lens("ONNX Runtime gives", graph, batch, found_lens, &lens).map_err(refuse)?;
                comparison.comparisons += 1;
                for (output, found) in found.iter().map(Array::floats).enumerate() {
                    judge(Side::Runtime { optimize: *optimize }, output, found, &mut comparison.max_runtime_error);
                    let other = |at: usize| {
                        trainer.as_ref().map_or(exact[output].values[at], |trainer| f64::from(trainer[output][at]))
                    };
                    let differences = found.iter().enumerate().map(|(at, &found)| (f64::from(found) - other(at)).abs());
                    let largest = differences.fold(0.0, f64::max);
                    comparison.max_abs_diff = comparison.max_abs_diff.max(largest);
                    if *usual {
                        comparison.usual_abs_diff = comparison.usual_abs_diff.max(largest);
                    }
                }
            }
        }
    }
    match worst {
        None => Ok(comparison),
        Some(worst) => {
            let inputs: Vec<Array> = sets[worst.set].arrays.iter().map(|array| array.first_rows(worst.batch)).collect();
            let place = first_difference(graph, (runtime, path), &worst, &inputs)?;
            let shape =
                &outputs_of(graph, reference::evaluate(graph, widen(&inputs)).map_err(refuse)?)[worst.output].shape;
            Err(refuse(describe(graph, &worst, &index(worst.at, shape), &place)))
        }
    }
}

/// Every number and every margin must be finite: else nothing could be too far from it.
fn check_exact(graph: &Graph, kind: &str, exact: &[Margined]) -> Result<(), String> {
    for (output, exact) in graph.outputs.iter().zip(exact) {
        if let Some(at) = exact.values.iter().position(|number| !number.is_finite()) {
            let (name, place) = (&output.name, index(at, &exact.shape));
            return Err(format!("on {kind} inputs, {name}[{place}] is {} even in f64", exact.values[at]));
        }
        if let Some(at) = exact.margins.iter().position(|margin| !margin.is_finite()) {
            let (name, place) = (&output.name, index(at, &exact.shape));
            return Err(format!(
                "on {kind} inputs, nothing bounds the rounding of {name}[{place}], {} in f64, so that it cannot be checked",
                exact.values[at]
            ));
        }
    }
    Ok(())
}

fn check_lens(who: &str, graph: &Graph, batch: usize, found: Vec<usize>, wanted: &[usize]) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    if let ([found], [wanted]) = (found.as_slice(), wanted) {
        return Err(format!("{who} {found} numbers for {batch} rows, the graph {wanted}"));
    }
    Err(format!("{who} {found:?} numbers for {batch} rows, the graph {wanted:?} ({})", graph.signature()))
}

fn describe(graph: &Graph, worst: &Worst, index: &str, place: &str) -> String {
    let who = match worst.side {
        Side::Trainer => "the trainer",
        Side::Runtime { optimize: true } => "ONNX Runtime with all optimisations",
        Side::Runtime { optimize: false } => "ONNX Runtime without optimisation",
    };
    let difference = if worst.found.is_finite() {
        let difference = (f64::from(worst.found) - worst.exact).abs();
        format!("they differ by {difference:.3e}, f32 rounding explains {:.3e}", worst.margin)
    } else {
        "every output must be finite".into()
    };
    format!(
        "on {} inputs, batch {}, {}[{index}] is {} in {who} but {:.9} in the f64 evaluation of the graph: {difference}; {place}",
        worst.kind, worst.batch, graph.outputs[worst.output].name, worst.found, worst.exact,
    )
}

/// Where ONNX Runtime leaves the f64 evaluation, with every value between nodes as an output.
fn first_difference(
    graph: &Graph,
    (runtime, path): (&Runtime, &Path),
    worst: &Worst,
    inputs: &[Array],
) -> Result<String, Error> {
    let refused = |reason| Error::OnnxFile { path: path.into(), reason };
    let optimize = worst.side == Side::Runtime { optimize: true };
    let session = Session::from_bytes(runtime, path, &encode::model_bytes_with_all_outputs(graph), optimize)?;
    let found = session.run(inputs)?;
    let exact = reference::evaluate(graph, widen(inputs)).map_err(refused)?;
    for (node, found) in graph.nodes.iter().zip(found.iter().map(Array::floats)) {
        let Some(Margined { values, margins, .. }) = exact.get(&node.output.name) else { continue };
        let inside = |((found, exact), margin): ((&f32, &f64), &f64)| (f64::from(*found) - exact).abs() <= *margin;
        if found.len() != values.len() || !found.iter().zip(values).zip(margins).all(inside) {
            return Ok(format!("the first node that differs is {:?} ({})", node.name, node.op));
        }
    }
    Ok(match worst.side {
        Side::Trainer => {
            "ONNX Runtime agrees with the f64 evaluation at every node, so the graph states something else than the \
                          trainer computes"
                .into()
        }
        Side::Runtime { .. } => {
            "no node differs when its output is looked at, so an optimisation over several nodes does".into()
        }
    })
}

fn outputs_of(graph: &Graph, mut values: BTreeMap<String, Margined>) -> Vec<Margined> {
    graph.outputs.iter().map(|output| values.remove(&output.name).unwrap_or_default()).collect()
}

fn widen(arrays: &[Array]) -> Vec<Margined> {
    arrays.iter().map(|array| Margined::exact(array.shape.clone(), array.widen())).collect()
}

/// Where a number stands: "2, 0, 5".
fn index(mut at: usize, shape: &[usize]) -> String {
    let mut parts = Vec::with_capacity(shape.len());
    for &size in shape.iter().rev() {
        parts.push((at % size).to_string());
        at /= size;
    }
    parts.reverse();
    parts.join(", ")
}
