//! The comparison behind export and check: trainer, engines and the f64 evaluation, on batches ×
//! engines × inputs.

use super::array::{Array, Numbers, Wire};
use super::comparison::{Comparison, SecondOpinion};
use super::engine::{Engine, Loaded};
use super::forward::Forward;
use super::graph::Graph;
use super::inputs::{BATCHES, InputSet, MOST_ROWS, input_sets};
use super::mismatch::{self, index};
use super::policy;
use super::reference::{self, Margined, outputs_of, widen};
use super::subject::{Side, Subject, Worst};
use crate::Error;

/// Proves that the file computes in the engines what `forward` (if there is one) and the f64
/// evaluation compute. `samples` are rows like those of training, or empty.
///
/// # Errors
/// What [`Subject::refuse`] makes of the reason, or what `forward` or an engine fail with.
pub(super) fn compare(
    subject: Subject<'_>,
    forward: Option<&Forward<'_>>,
    samples: &Numbers,
) -> Result<Comparison, Error> {
    let Subject { graph, refuse, batch, .. } = subject;
    let mut tally = Tally {
        subject,
        loaded: Vec::new(),
        result: Comparison::default(),
        worst: None,
        second_worst: None,
    };
    tally.load()?;
    let sets = input_sets(graph, samples, batch.unwrap_or(MOST_ROWS))?;
    for InputSet { kind, usual, arrays } in &sets {
        let exact = outputs_of(graph, reference::evaluate(graph, widen(arrays)).map_err(refuse)?);
        check_exact(graph, kind, &exact).map_err(refuse)?;
        for &batch in batch.as_ref().map_or(&BATCHES[..], std::slice::from_ref) {
            let inputs: Vec<Array> = arrays.iter().map(|array| array.first_rows(batch)).collect();
            let exact: Vec<Margined> = exact.iter().map(|exact| exact.first_rows(batch)).collect();
            tally.add((kind, *usual), &inputs, &exact, forward)?;
        }
        // A row's result must depend neither on the other rows nor on its place among them.
        let inputs: Vec<Array> = arrays.iter().map(Array::reversed).collect();
        let exact: Vec<Margined> = exact.iter().map(Margined::reversed).collect();
        tally.add((&format!("{kind} (in reverse order)"), *usual), &inputs, &exact, forward)?;
    }
    if let Some(worst) = &tally.worst {
        return Err(refuse(mismatch::describe(subject, worst)?));
    }
    if let Some(worst) = &tally.second_worst {
        let reason = mismatch::describe(subject, worst).unwrap_or_else(|error| error.to_string());
        tally.result.second_opinion =
            Some(SecondOpinion::Differs { engine: worst.side.name(), reason });
    }
    if let Some(forward) = forward
        && let Some(set) = sets.first()
    {
        tally.result.policy = policy::differences(graph, &tally.loaded[0].1, forward, &set.arrays)?;
    }
    Ok(tally.result)
}

/// The largest error, and the largest share of a margin.
struct Judged {
    error: f64,
    used: f64,
}

/// What was found so far.
struct Tally<'a> {
    subject: Subject<'a>,
    loaded: Vec<(Engine, Loaded)>,
    result: Comparison,
    worst: Option<Worst>,
    /// The same of a second engine, which does not decide.
    second_worst: Option<Worst>,
}

impl Tally<'_> {
    /// Loads the file in every engine; a second one may decline.
    fn load(&mut self) -> Result<(), Error> {
        let Subject { path, bytes, engines, .. } = self.subject;
        for (i, engine) in engines.iter().enumerate() {
            match engine.load(path, bytes) {
                Ok(loaded) => self.loaded.push((*engine, loaded)),
                Err(Error::OnnxFile { reason, .. }) if i > 0 && engine.is_second() => {
                    self.result.second_opinion =
                        Some(SecondOpinion::Declined { engine: engine.name(), reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs everybody on one batch.
    fn add(
        &mut self,
        (kind, usual): (&str, bool),
        inputs: &[Array],
        exact: &[Margined],
        forward: Option<&Forward<'_>>,
    ) -> Result<(), Error> {
        let Subject { graph, refuse, .. } = self.subject;
        let batch = inputs.first().map_or(0, |input| input.shape[0]);
        let wanted: Vec<usize> = exact.iter().map(|exact| exact.values.len()).collect();
        let check_lens = |who: &str, found: Vec<usize>| {
            check_lens(who, graph, batch, &found, &wanted).map_err(refuse)
        };
        let trainer = forward.map(|forward| forward(inputs)).transpose()?;
        let trainer: Option<Vec<Vec<f64>>> = trainer.map(|outputs| {
            let widened = outputs
                .iter()
                .map(|output| output.iter().map(|&number| f64::from(number)).collect());
            widened.collect()
        });
        if let Some(outputs) = &trainer {
            check_lens("the trainer gives", outputs.iter().map(Vec::len).collect())?;
            let Judged { error, used } =
                self.judge((Side::Trainer, false), (kind, inputs), outputs, exact);
            self.result.margin_used = self.result.margin_used.max(used);
            self.result.max_trainer_error = self.result.max_trainer_error.max(error);
        }
        for i in 0..self.loaded.len() {
            let (engine, loaded) = &self.loaded[i];
            let engine = *engine;
            let second = i > 0 && engine.is_second();
            let found = loaded.run(inputs).and_then(|found| {
                let found: Vec<Vec<f64>> = found.iter().map(Array::widen).collect();
                check_lens(
                    &format!("{} gives", engine.name()),
                    found.iter().map(Vec::len).collect(),
                )?;
                Ok(found)
            });
            let found = match found {
                // An engine that loads a graph and then cannot run it does not support it either.
                Err(error) if second => {
                    let (engine, reason) = (engine.name(), error.to_string());
                    self.result.second_opinion = Some(SecondOpinion::Declined { engine, reason });
                    self.loaded.remove(i);
                    return Ok(());
                }
                found => found?,
            };
            let judged = self.judge((Side::Engine(engine), second), (kind, inputs), &found, exact);
            if second {
                self.second(engine, judged);
                continue;
            }
            let Judged { error, used } = judged;
            self.result.margin_used = self.result.margin_used.max(used);
            self.result.comparisons += 1;
            self.result.max_runtime_error = self.result.max_runtime_error.max(error);
            let mut largest = 0.0_f64;
            for (output, found) in found.iter().enumerate() {
                let other =
                    trainer.as_ref().map_or(&exact[output].values, |trainer| &trainer[output]);
                largest =
                    found.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(largest, f64::max);
            }
            self.result.max_abs_diff = self.result.max_abs_diff.max(largest);
            if usual {
                self.result.usual_abs_diff = self.result.usual_abs_diff.max(largest);
            }
        }
        Ok(())
    }

    /// One more run of a second engine.
    fn second(&mut self, engine: Engine, Judged { error, used }: Judged) {
        let opinion = &mut self.result.second_opinion;
        if let Some(SecondOpinion::Agrees { comparisons, max_error, margin_used, .. }) = opinion {
            *comparisons += 1;
            (*max_error, *margin_used) = (max_error.max(error), margin_used.max(used));
        } else {
            let engine = engine.name();
            *opinion = Some(SecondOpinion::Agrees {
                engine,
                comparisons: 1,
                max_error: error,
                margin_used: used,
            });
        }
    }

    /// Notes the number that is farthest outside its margin.
    fn judge(
        &mut self,
        (side, second): (Side, bool),
        (kind, inputs): (&str, &[Array]),
        found: &[Vec<f64>],
        exact: &[Margined],
    ) -> Judged {
        let patience = match side {
            Side::Trainer => 1.0,
            Side::Engine(engine) => engine.patience(),
        };
        let worst = if second { &mut self.second_worst } else { &mut self.worst };
        let mut judged = Judged { error: 0.0, used: 0.0 };
        for (output, found) in found.iter().enumerate() {
            for (at, &found) in found.iter().enumerate() {
                let (exact, margin) = exact[output].number(at);
                let difference = (found - exact).abs();
                // NaN counts as infinitely far.
                let used = if found.is_finite() {
                    difference / margin.max(f64::MIN_POSITIVE)
                } else {
                    f64::INFINITY
                };
                judged =
                    Judged { error: judged.error.max(difference), used: judged.used.max(used) };
                let (margin, excess) = (patience * margin, used / patience);
                if excess > 1.0 && worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                    let (kind, inputs) = (kind.to_owned(), inputs.to_vec());
                    *worst = Some(Worst {
                        side,
                        kind,
                        inputs,
                        output,
                        at,
                        found,
                        exact,
                        margin,
                        excess,
                    });
                }
            }
        }
        judged
    }
}

/// Every number and every margin must be finite: else nothing could be too far from it.
fn check_exact(graph: &Graph, kind: &str, exact: &[Margined]) -> Result<(), String> {
    for (output, exact) in graph.outputs.iter().zip(exact) {
        if let Some(at) = exact.values.iter().position(|number| !number.is_finite()) {
            let (name, place) = (&output.name, index(at, &exact.shape));
            return Err(format!(
                "on {kind} inputs, {name}[{place}] is {} even in f64",
                exact.values[at]
            ));
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

fn check_lens(
    who: &str,
    graph: &Graph,
    batch: usize,
    found: &[usize],
    wanted: &[usize],
) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let list = |lens: &[usize]| match lens {
        [] => "no".to_owned(),
        lens => lens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    };
    if let ([found], [wanted]) = (found, wanted) {
        return Err(format!("{who} {found} numbers for {batch} rows, the graph {wanted}"));
    }
    Err(format!(
        "{who} {} numbers for {batch} rows, the graph {} ({})",
        list(found),
        list(wanted),
        graph.signature()
    ))
}
