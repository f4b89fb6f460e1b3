//! What keeps a network from learning a few rows by heart.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::reach::{Between, GradientFault, Shared, least};
use super::{Attempt, Bench};
use crate::Error;
use crate::checks::{InitReport, Verdict};
use crate::data::{Batch, Numbers, Targets};
use crate::nn::Node;
use crate::optim::ParameterGroup;
use crate::task::{Precision, Probe, Recipe};

/// What keeps a network from learning a few rows by heart. Those that say what was changed have been
/// tried: with that change, and no other, the check passes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Culprit {
    /// Rows with the same inputs have other targets, so that no network can be right on all.
    Contradiction {
        /// Two of them, as their numbers in the data set.
        rows: (usize, usize),
        /// How many rows are like another one.
        copies: usize,
        /// The least loss that a function of the inputs can have.
        least: f64,
    },
    /// The loss's gradient is not that of the loss.
    LossGradient(GradientFault),
    /// The last layer gives only numbers of a range, among which there are none that fit the
    /// targets.
    Bounded {
        /// Its place and kind, for example "4 (Softmax)".
        layer: String,
        /// The range.
        range: (f32, f32),
        /// The least loss of outputs in it.
        least: f64,
        /// Whether the loss does itself what this layer does.
        twice: bool,
    },
    /// The learning rate is 0.
    RateIsZero,
    /// Tensors that are frozen, or trained at another rate. It passes when they are not.
    Frozen {
        /// The patterns of their groups.
        groups: Vec<String>,
        /// Updates after which it passes.
        steps: u64,
    },
    /// Weight decay. It passes without it.
    WeightDecay {
        /// How strong it is.
        decay: f64,
        /// Updates after which it passes.
        steps: u64,
    },
    /// Mixed precision. It passes in f32.
    Precision {
        /// Updates after which it passes.
        steps: u64,
    },
    /// The weights with which it begins. It passes with freshly drawn ones, by the scheme that is
    /// the default.
    Weights {
        /// What is wrong with them.
        verdicts: Vec<Verdict>,
        /// Updates after which it passes.
        steps: u64,
    },
    /// The learning rate. It passes at another.
    Rate {
        /// The rate.
        is: f64,
        /// One at which it passes.
        passes: f64,
        /// Updates after which it passes there.
        steps: u64,
    },
    /// What stands out in the layers before the first update.
    Before(Verdict),
    /// What stands out in the layers after the last update, and did not before.
    After(Verdict),
    /// The network predicts something else than what it computes in training.
    Evaluation {
        /// The last loss in training.
        training: f64,
        /// That of its predictions.
        predictions: f64,
    },
    /// A layer is so narrow that the rows may be one behind it.
    Narrow {
        /// Its place and kind.
        layer: String,
        /// How many numbers it gives for a row.
        width: usize,
    },
    /// The loss was still falling.
    StillFalling {
        /// What it was after three quarters of the updates, and at the end.
        from: f64,
        /// At the end.
        to: f64,
    },
}

/// By what the learning rate is multiplied, behind the optimiser's usual one.
const RATES: [f64; 6] = [10.0, 0.1, 100.0, 0.01, 1e3, 1e-3];

impl Bench<'_> {
    /// Why the check failed, the likeliest first: what is certain; otherwise what it takes to pass;
    /// then what stands out.
    pub(super) fn culprits(&self, attempt: &Attempt) -> Result<Vec<Culprit>, Error> {
        let mut found = self.certain()?;
        let before = InitReport::of(self.probe.clone());
        let broken = before.verdicts().iter().any(|v| matches!(v, Verdict::NotFinite { .. }));
        if found.is_empty() && !broken {
            found.extend(self.by_change(&before)?);
        }
        let named: Vec<&Verdict> = found
            .iter()
            .filter_map(|culprit| match culprit {
                Culprit::Weights { verdicts, .. } => Some(verdicts),
                _ => None,
            })
            .flatten()
            .collect();
        let standing = before.verdicts().iter().filter(|verdict| !named.contains(verdict));
        let mut more: Vec<Culprit> = standing.cloned().map(Culprit::Before).collect();
        more.extend(self.after(attempt, &before)?);
        more.extend(self.falling(attempt));
        more.extend(self.narrow());
        found.extend(more);
        Ok(found)
    }

    /// What needs no trial.
    fn certain(&self) -> Result<Vec<Culprit>, Error> {
        let mut found = Vec::new();
        if let Some(fault) = self.free.fault {
            // Nothing that is found by descending says anything then.
            return Ok(vec![Culprit::LossGradient(fault)]);
        }
        if self.learning_rate == 0.0 {
            found.push(Culprit::RateIsZero);
        }
        let loss = &self.trainer.recipe.loss;
        let groups = groups_of(&self.batch);
        if let Some(rows) = contradiction(&self.batch, &groups) {
            let reach = least(loss, &self.shape, &self.batch, Shared(groups.clone()))?;
            if reach.least > self.target {
                let copies = groups.iter().enumerate().filter(|(row, group)| row != *group).count();
                found.push(Culprit::Contradiction { rows, copies, least: reach.least });
            }
        }
        let last = last(&self.trainer.task.model().planned().root);
        if let Some((low, high)) = range(last.layer.kind()) {
            let reach = least(loss, &self.shape, &self.batch, Between(low, high))?;
            if reach.least > self.target {
                let twice = matches!(
                    (loss.name(), last.layer.kind()),
                    ("CrossEntropy", "Softmax") | ("BinaryCrossEntropy", "Sigmoid")
                );
                let (layer, least) = (place(last), reach.least);
                found.push(Culprit::Bounded { layer, range: (low, high), least, twice });
            }
        }
        Ok(found)
    }

    /// The first change with which the check passes.
    fn by_change(&self, before: &InitReport) -> Result<Option<Culprit>, Error> {
        let (recipe, rate) = (&self.trainer.recipe, self.learning_rate);
        let passes = |recipe: &Recipe, fresh: bool, rate: f64| {
            let weights = (!fresh).then_some(&self.weights);
            let attempt = self.attempt(recipe, weights, rate)?;
            Ok::<_, Error>(attempt.passed.then_some(attempt.steps))
        };
        let groups = recipe.groups.iter().filter(|group| group.frozen || group.rate != 1.0);
        let groups: Vec<String> = groups.map(|group| group.tensors.clone()).collect();
        if !groups.is_empty() {
            let free = Recipe { groups: Vec::new(), ..recipe.clone() };
            if let Some(steps) = passes(&free, false, rate)? {
                return Ok(Some(Culprit::Frozen { groups, steps }));
            }
        }
        let own = recipe.groups.iter().filter_map(|group| group.weight_decay);
        let decay = own.fold(recipe.optimizer.weight_decay(), f64::max);
        if decay > 0.0 {
            let spare = |group: ParameterGroup| group.weight_decay(0.0);
            let groups = recipe.groups.iter().cloned().chain([ParameterGroup::new("*")]);
            let groups = groups.map(spare).collect();
            if let Some(steps) = passes(&Recipe { groups, ..recipe.clone() }, false, rate)? {
                return Ok(Some(Culprit::WeightDecay { decay, steps }));
            }
        }
        if recipe.precision != Precision::F32 {
            let wide = Recipe { precision: Precision::F32, ..recipe.clone() };
            if let Some(steps) = passes(&wide, false, rate)? {
                return Ok(Some(Culprit::Precision { steps }));
            }
        }
        let fresh = Recipe { init: crate::nn::Init::default(), ..recipe.clone() };
        // Where they are those already, that has been tried.
        let differs = fresh.task()?.state()?.weights != self.weights;
        if differs && let Some(steps) = passes(&fresh, true, rate)? {
            let verdicts = before.verdicts().to_vec();
            return Ok(Some(Culprit::Weights { verdicts, steps }));
        }
        let usual = recipe.optimizer.default_learning_rate();
        let others = RATES.iter().map(|factor| rate * factor);
        for other in std::iter::once(usual).filter(|usual| *usual != rate).chain(others) {
            if let Some(steps) = passes(recipe, false, other)? {
                return Ok(Some(Culprit::Rate { is: rate, passes: other, steps }));
            }
        }
        Ok(None)
    }

    /// What stands out at the end and did not at the beginning.
    fn after(&self, attempt: &Attempt, before: &InitReport) -> Result<Vec<Culprit>, Error> {
        let recipe = &self.trainer.recipe;
        let mut state = self.trainer.task.state()?;
        state.weights = attempt.weights.clone();
        let after = InitReport::of(Probe::of(recipe, &state, &self.batch)?);
        let kind = std::mem::discriminant::<Verdict>;
        let is_new = |verdict: &&Verdict| {
            let known = before.verdicts().iter().any(|old| kind(old) == kind(verdict));
            !known && !matches!(verdict, Verdict::Signals(_) | Verdict::Gradients(_))
        };
        let new = after.verdicts().iter().filter(is_new).cloned().map(Culprit::After);
        let training = attempt.curve.last().map_or(f64::NAN, |(_, loss)| *loss);
        let differs = training <= self.target;
        let evaluation = Culprit::Evaluation { training, predictions: attempt.loss };
        Ok(differs.then_some(evaluation).into_iter().chain(new).collect())
    }

    fn falling(&self, attempt: &Attempt) -> Option<Culprit> {
        let len = attempt.curve.len();
        let mean = |from: usize, to: usize| {
            let losses = attempt.curve[from..to].iter().map(|(_, loss)| loss);
            losses.sum::<f64>() / (to - from).max(1) as f64
        };
        if len < 40 {
            return None;
        }
        let (from, to) = (mean(len * 3 / 4 - 10, len * 3 / 4), mean(len - 10, len));
        let left = from - self.free.least;
        (to < from - 0.05 * left).then_some(Culprit::StillFalling { from, to })
    }

    /// The narrowest layer in front of the last one.
    fn narrow(&self) -> Option<Culprit> {
        let mut leaves = Vec::new();
        leaves_of(&self.trainer.task.model().planned().root, &mut leaves);
        let (_, inner) = leaves.split_last()?;
        let narrowest = inner.iter().min_by_key(|node| node.output.size())?;
        let width = narrowest.output.size();
        let outputs: usize = self.shape[1..].iter().product();
        (width < outputs && width < 3 && self.batch.len() > 3)
            .then(|| Culprit::Narrow { layer: place(narrowest), width })
    }
}

/// For each row the first one with the same inputs.
fn groups_of(batch: &Batch) -> Vec<usize> {
    let rows = batch.len();
    let width = batch.input.len() / rows.max(1);
    let bits = |row: usize| -> Vec<u64> {
        let row = row * width..(row + 1) * width;
        match &batch.input.numbers {
            // −0 is 0.
            Numbers::F32(numbers) => {
                numbers[row].iter().map(|v| u64::from((v + 0.0).to_bits())).collect()
            }
            Numbers::I64(indices) => indices[row].iter().map(|i| i.cast_unsigned()).collect(),
        }
    };
    let mut first = HashMap::new();
    (0..rows).map(|row| *first.entry(bits(row)).or_insert(row)).collect()
}

/// Two rows of one group with other targets.
fn contradiction(batch: &Batch, groups: &[usize]) -> Option<(usize, usize)> {
    let per_row = batch.targets.len() / batch.len().max(1);
    let differ = |a: usize, b: usize| {
        let (a, b) = (a * per_row..(a + 1) * per_row, b * per_row..(b + 1) * per_row);
        match &batch.targets {
            Targets::Classes(classes) => classes[a] != classes[b],
            Targets::Values(values) => values[a] != values[b],
        }
    };
    let mut pairs = groups.iter().enumerate().map(|(row, &group)| (group, row));
    let (a, b) = pairs.find(|&(a, b)| a != b && differ(a, b))?;
    let (a, b) = (batch.samples[a], batch.samples[b]);
    Some((a.min(b), a.max(b)))
}

/// What layers of this kind can give, if that is bounded.
fn range(kind: &str) -> Option<(f32, f32)> {
    Some(match kind {
        "Softmax" | "Sigmoid" => (0.0, 1.0),
        "Tanh" | "Sin" | "Cos" => (-1.0, 1.0),
        "Relu" | "Abs" | "Exp" | "Sqrt" | "Square" | "Softplus" => (0.0, f32::MAX),
        "LogSoftmax" => (f32::MIN, 0.0),
        _ => return None,
    })
}

fn last(node: &Node) -> &Node {
    match node.children.last() {
        Some(child) if node.layer.kind() == "Sequential" => last(child),
        _ => node,
    }
}

fn leaves_of<'a>(node: &'a Node, into: &mut Vec<&'a Node>) {
    if node.children.is_empty() {
        into.push(node);
    }
    node.children.iter().for_each(|child| leaves_of(child, into));
}

fn place(node: &Node) -> String {
    let kind = node.layer.kind();
    if node.path.is_empty() { kind.to_owned() } else { format!("{} ({kind})", node.path) }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction { rows: (a, b), copies, least } => write!(
                f,
                "rows {a} and {b} have the same inputs and other targets ({copies} rows are like \
                 another one): no network can do better than about {least:.4}; look at the labels, and \
                 at what normalisation leaves of the inputs"
            ),
            Self::LossGradient(fault) => write!(
                f,
                "the loss's gradient {}, compared with finite differences: look at the loss",
                match fault {
                    GradientFault::Zero => "is 0 where the loss changes with the outputs",
                    GradientFault::Reversed => "points the wrong way, so that updates make it rise",
                    GradientFault::Wrong => "is wrong",
                }
            ),
            Self::Bounded { layer, range: (low, high), least, twice } => {
                let range = match (*low == f32::MIN, *high == f32::MAX) {
                    (_, true) => format!("not below {low}"),
                    (true, _) => format!("not above {high}"),
                    _ => format!("from {low} to {high}"),
                };
                write!(f, "the last layer, {layer}, gives numbers {range}, with which the loss ")?;
                write!(f, "cannot fall below about {least:.4}; ")?;
                f.write_str(match twice {
                    true => {
                        "the loss takes logits and does itself what this layer does: leave it out"
                    }
                    false => "leave it out, or bring the targets into that range",
                })
            }
            Self::RateIsZero => f.write_str("the learning rate is 0"),
            Self::Frozen { groups, steps } => write!(
                f,
                "parameter groups hold back {}: without them it passes after {steps} updates",
                groups.join(", ")
            ),
            Self::WeightDecay { decay, steps } => write!(
                f,
                "the weight decay of {decay} holds the weights down: without it, it passes after \
                 {steps} updates"
            ),
            Self::Precision { steps } => {
                write!(f, "mixed precision: in f32 it passes after {steps} updates")
            }
            Self::Weights { verdicts, steps } => {
                write!(
                    f,
                    "the weights with which it begins: with freshly drawn ones, by the default \
                     scheme, it passes after {steps} updates"
                )?;
                verdicts.iter().try_for_each(|verdict| write!(f, "\n  - {verdict}"))
            }
            Self::Rate { is, passes, steps } => write!(
                f,
                "the learning rate of {is:e} is too {}: at {passes:e} it passes after {steps} \
                 updates",
                if passes > is { "low" } else { "high" }
            ),
            Self::Before(verdict) => write!(f, "before the first update {verdict}"),
            Self::After(verdict) => write!(f, "after the last update {verdict}"),
            Self::Evaluation { training, predictions } => write!(
                f,
                "the loss in training is {training:.4}, and that of the predictions \
                 {predictions:.4}: layers that work differently in training, such as dropout and \
                 batch normalisation, make the difference"
            ),
            Self::Narrow { layer, width } => write!(
                f,
                "{layer} gives {width} number{} for a row, through which all must pass",
                if *width == 1 { "" } else { "s" }
            ),
            Self::StillFalling { from, to } => write!(
                f,
                "the loss was still falling, from {from:.4} to {to:.4} in the last quarter: more \
                 updates may do, `OverfitCheck::rows(…).steps(…)`"
            ),
        }
    }
}
