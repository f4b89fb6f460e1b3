//! The comparison behind export and check: trainer, ONNX Runtime and the f64 evaluation, on batches × optimisation × inputs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::graph::Graph;
use super::reference::{self, Margined};
use super::runtime::Runtime;
use super::session::Session;
use super::{Predict, encode};
use crate::Error;
use crate::random::{Seed, Stream};

/// Sizes at which a fixed batch, a wrong reshape or a tail of a vectorised loop shows.
const BATCHES: [usize; 5] = [1, 2, 3, 7, MOST_ROWS];
const MOST_ROWS: usize = 33;

/// What was compared and how close it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many times ONNX Runtime ran: batch sizes × optimisation levels × kinds of input.
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

/// The input set with rows as the model usually meets them.
const USUAL: usize = 0;

/// 33 rows of one kind.
struct InputSet {
    kind: &'static str,
    rows: Vec<f32>,
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
    at: usize,
    found: f32,
    exact: f64,
    margin: f64,
    excess: f64,
}

/// Proves that the model in `bytes`, which encode `graph`, computes in ONNX Runtime what `predict` (if there is one) and the f64 evaluation
/// compute. `samples` are rows like those of training, or empty.
///
/// # Errors
/// What `refuse` makes of the reason, or what `predict` or ONNX Runtime fail with.
pub(super) fn compare(
    (graph, bytes): (&Graph, &[u8]),
    (runtime, path): (&Runtime, &Path),
    predict: Option<&Predict<'_>>,
    samples: &[f32],
    refuse: &dyn Fn(String) -> Error,
) -> Result<Comparison, Error> {
    let sessions = [false, true].map(|optimize| Ok((optimize, Session::from_bytes(runtime, path, bytes, optimize)?)));
    let sessions = sessions.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let (width, outputs) = (graph.input_width(), graph.output_width());
    let sets = input_sets(width, samples)?;
    let mut comparison = Comparison::default();
    let mut worst: Option<Worst> = None;
    for (set, InputSet { kind, rows }) in sets.iter().enumerate() {
        let exact = output_of(graph, reference::evaluate(graph, &widen(rows), MOST_ROWS).map_err(refuse)?);
        if let Some(at) = exact.values.iter().position(|number| !number.is_finite()) {
            let name = graph.output_name();
            return Err(refuse(format!("on {kind} inputs, {name}[{at}] is {} even in f64", exact.values[at])));
        }
        for batch in BATCHES {
            let rows = &rows[..batch * width];
            let trainer = predict.map(|predict| predict(rows, batch)).transpose()?;
            if let Some(trainer) = &trainer
                && trainer.len() != batch * outputs
            {
                let (is, should) = (trainer.len(), batch * outputs);
                return Err(refuse(format!("the trainer gives {is} numbers for {batch} rows, the graph {should}")));
            }
            let mut judge = |side, found: &[f32], error: &mut f64| {
                for (at, &found) in found.iter().enumerate() {
                    let (exact, margin) = (exact.values[at], exact.margins[at]);
                    let difference = (f64::from(found) - exact).abs();
                    // NaN counts as infinitely far.
                    let excess =
                        if found.is_finite() { difference / margin.max(f64::MIN_POSITIVE) } else { f64::INFINITY };
                    *error = error.max(difference);
                    comparison.margin_used = comparison.margin_used.max(excess);
                    if excess > 1.0 && worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                        worst = Some(Worst { side, kind, set, batch, at, found, exact, margin, excess });
                    }
                }
            };
            if let Some(trainer) = &trainer {
                judge(Side::Trainer, trainer, &mut comparison.max_trainer_error);
            }
            for (optimize, session) in &sessions {
                let found = session.predict(rows, batch)?;
                if found.len() != batch * outputs {
                    let (is, should) = (found.len(), batch * outputs);
                    return Err(refuse(format!("ONNX Runtime gives {is} numbers for {batch} rows, not {should}")));
                }
                judge(Side::Runtime { optimize: *optimize }, &found, &mut comparison.max_runtime_error);
                comparison.comparisons += 1;
                let other = |at: usize| trainer.as_ref().map_or(exact.values[at], |trainer| f64::from(trainer[at]));
                let differences = found.iter().enumerate().map(|(at, &found)| (f64::from(found) - other(at)).abs());
                let largest = differences.fold(0.0, f64::max);
                comparison.max_abs_diff = comparison.max_abs_diff.max(largest);
                if set == USUAL {
                    comparison.usual_abs_diff = comparison.usual_abs_diff.max(largest);
                }
            }
        }
    }
    match worst {
        None => Ok(comparison),
        Some(worst) => {
            let rows = &sets[worst.set].rows[..worst.batch * width];
            let place = first_difference(graph, (runtime, path), &worst, rows)?;
            Err(refuse(describe(graph, &worst, &place)))
        }
    }
}

fn describe(graph: &Graph, worst: &Worst, place: &str) -> String {
    let (row, column) = (worst.at / graph.output_width(), worst.at % graph.output_width());
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
        "on {} inputs, batch {}, {}[{row}, {column}] is {} in {who} but {:.9} in the f64 evaluation of the graph: {difference}; {place}",
        worst.kind,
        worst.batch,
        graph.output_name(),
        worst.found,
        worst.exact,
    )
}

/// Where ONNX Runtime leaves the f64 evaluation, with every value between nodes as an output.
fn first_difference(
    graph: &Graph,
    (runtime, path): (&Runtime, &Path),
    worst: &Worst,
    rows: &[f32],
) -> Result<String, Error> {
    let refused = |reason| Error::OnnxFile { path: path.into(), reason };
    let optimize = worst.side == Side::Runtime { optimize: true };
    let session = Session::from_bytes(runtime, path, &encode::model_bytes_with_all_outputs(graph), optimize)?;
    let found = session.run(rows, worst.batch)?;
    let exact = reference::evaluate(graph, &widen(rows), worst.batch).map_err(refused)?;
    for (node, found) in graph.nodes.iter().zip(&found) {
        let Some(Margined { values, margins }) = exact.get(&node.output.name) else { continue };
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

fn output_of(graph: &Graph, mut values: BTreeMap<String, Margined>) -> Margined {
    values.remove(graph.output_name()).unwrap_or_default()
}

fn widen(rows: &[f32]) -> Vec<f64> {
    rows.iter().map(|&number| f64::from(number)).collect()
}

/// Rows like those of training, and rows as they are not: a model meets both.
#[allow(clippy::cast_possible_truncation, reason = "inputs are f32, any rounding of a random number is as good")]
fn input_sets(width: usize, samples: &[f32]) -> Result<Vec<InputSet>, Error> {
    let whole_rows = samples.len().is_multiple_of(width);
    if let Some(bad) = samples.iter().find(|number| !number.is_finite()).or(samples.first().filter(|_| !whole_rows)) {
        let value = if whole_rows { format!("rows with {bad}") } else { format!("{} numbers", samples.len()) };
        let expected = format!("finite rows of {width} features");
        return Err(Error::Setting { setting: "samples", value, expected });
    }
    let largest = samples.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = if largest > 0.0 { f64::from(largest) } else { 1.0 };
    let stream = Stream::new(Seed(0), "onnx comparison");
    let random = |index, scale: f64| {
        let mut draws = stream.at(0, index);
        (0..MOST_ROWS * width).map(|_| (draws.uniform(-1.0, 1.0) * scale) as f32).collect::<Vec<_>>()
    };
    let (kind, usual) = if samples.is_empty() {
        ("random", random(0, scale))
    } else {
        // Spread over all rows, and over again if there are fewer than 33.
        let count = samples.len() / width;
        let picked = (0..MOST_ROWS).map(|i| if count > MOST_ROWS { i * count / MOST_ROWS } else { i % count });
        ("training-like", picked.flat_map(|row| &samples[row * width..][..width]).copied().collect())
    };
    let constant = random(1, scale).iter().take(MOST_ROWS).flat_map(|&number| vec![number; width]).collect();
    Ok(vec![
        InputSet { kind, rows: usual },
        InputSet { kind: "zero", rows: vec![0.0; MOST_ROWS * width] },
        InputSet { kind: "large", rows: random(2, 100.0 * scale) },
        InputSet { kind: "tiny", rows: random(3, 1e-6 * scale) },
        InputSet { kind: "constant-row", rows: constant },
    ])
}
