//! How good a network is on one part of the data.

use std::borrow::Cow;

use serde::Serialize;
use trainbook_store::Metric as Logged;

use super::feed::counting;
use crate::Error;
use crate::data::{Array, Batch, Batches, Dataset, Loader, Numbers, Part, Targets};
use crate::metric::{Metric, Tally};
use crate::nn::{HostTensor, NnError};
use crate::task::{Loss, Model};

/// How good a network is on one part of the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Which part.
    pub part: Part,
    /// How many rows of it count.
    pub rows: usize,
    /// How many predictions were judged: the rows, or in sequences their positions, without those
    /// that do not count for the loss.
    pub judged: usize,
    /// The mean loss over what was judged, or what the loss counts in its place; of scaled targets,
    /// if they are.
    pub loss: f64,
    /// How many were classified right; `None` for values, and where rows count by weights.
    pub correct: Option<usize>,
    /// The trainer's metrics, by name, in their order; in the unit of the targets.
    pub metrics: Vec<Logged>,
}

/// Rows that are predicted at once; has no influence on any result.
pub(super) const ROWS_AT_ONCE: usize = 256;

impl Evaluation {
    /// Of `model` on one part of `data`; `also` sees what is judged.
    pub(crate) fn of(
        model: &dyn Model,
        loss: &Loss,
        metrics: &[Metric],
        data: &Dataset,
        part: Part,
        also: impl FnMut(&Judged<'_>),
    ) -> Result<Self, Error> {
        let (predict, shape) = (|input: &Array| model.predict(input), model.output_shape());
        Self::of_outputs(&predict, shape, loss, metrics, data, part, also)
    }

    /// Of whatever gives outputs of this shape for the rows of one part of `data`.
    pub(crate) fn of_outputs(
        predict: &dyn Fn(&Array) -> Result<Array, NnError>,
        shape: &[usize],
        loss: &Loss,
        metrics: &[Metric],
        data: &Dataset,
        part: Part,
        mut also: impl FnMut(&Judged<'_>),
    ) -> Result<Self, Error> {
        let rows = counting(data, part, "evaluate on")?;
        let width = shape.last().copied().unwrap_or(1);
        let mut tallies: Vec<Box<dyn Tally>> =
            metrics.iter().map(|metric| metric.measure().begin(width)).collect();
        let mut judged = 0;
        let mean = judge(predict, loss, data, part, |batch| {
            judged += batch.targets.len();
            tallies.iter_mut().for_each(|tally| {
                tally.add(&batch.outputs, &batch.targets, batch.weights.as_deref())
            });
            also(&batch);
        })?;
        let metrics = metrics.iter().zip(&tallies);
        let metrics = metrics.map(|(metric, tally)| Logged::new(metric.name(), tally.value()));
        let metrics: Vec<Logged> = metrics.collect();
        // A share of whole numbers: rounding gives the number back.
        let share = find(&metrics, "accuracy").filter(|_| !data.is_weighed());
        let correct = share.map(|share| (share * judged as f64).round() as usize);
        Ok(Self { part, rows, judged, loss: mean, correct, metrics })
    }

    /// The share classified right; `None` for values.
    pub fn accuracy(&self) -> Option<f64> {
        self.metric("accuracy")
    }

    /// One of the trainer's metrics, by name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        find(&self.metrics, name)
    }

    /// The loss and the metrics, each under its name behind that of the part: `val_loss`.
    pub(crate) fn logged(&self) -> Vec<Logged> {
        let prefix = self.part.prefix();
        let loss = Logged::new("loss", self.loss);
        let all = std::iter::once(&loss).chain(&self.metrics);
        all.map(|metric| Logged::new(format!("{prefix}_{}", metric.name), metric.value)).collect()
    }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of the {} part: loss {:.4}", self.rows, self.part, self.loss)?;
        for metric in &self.metrics {
            write!(f, ", {} {:.4}", metric.name, metric.value)?;
            if let (true, Some(correct)) = (metric.name == "accuracy", self.correct) {
                write!(f, " ({correct} right)")?;
            }
        }
        Ok(())
    }
}

fn find(metrics: &[Logged], name: &str) -> Option<f64> {
    metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

/// Outputs and targets of a batch without the positions that do not count, in the targets' own unit.
pub(crate) struct Judged<'a> {
    pub outputs: Cow<'a, [f32]>,
    pub targets: Cow<'a, Targets>,
    /// How much each target counts; `None` where all count alike.
    pub weights: Option<Vec<f32>>,
    /// For each target the row in the data set, and its place among those of the row.
    pub places: Vec<(usize, usize)>,
}

impl<'a> Judged<'a> {
    /// Of the outputs for a batch.
    pub fn of(outputs: &'a HostTensor, batch: &'a Batch, loss: &Loss, data: &Dataset) -> Self {
        let objective = loss.objective();
        let width = outputs.shape.last().copied().unwrap_or(1).max(1);
        let mut outputs = Cow::Borrowed(outputs.numbers());
        let mut targets = Cow::Borrowed(&batch.targets);
        let mut kept = None;
        if let Targets::Classes(classes) = &batch.targets {
            let counts = |at: &usize| objective.counts(classes[*at]);
            if !(0..classes.len()).all(|at| counts(&at)) {
                let left: Vec<usize> = (0..classes.len()).filter(counts).collect();
                let rows = left.iter().map(|at| &outputs[at * width..(at + 1) * width]);
                outputs = Cow::Owned(rows.collect::<Vec<_>>().concat());
                targets = Cow::Owned(batch.targets.of(&left));
                kept = Some(left);
            }
        }
        if let Some(scaling) = data.target_scaling() {
            // Metrics are in the unit of the targets, the loss is in what it is trained on.
            scaling.invert(outputs.to_mut());
            if let Some(all) = data.targets() {
                // As they stand in the source, without a rounding there and back.
                let mut own = Targets::default();
                own.gather(all, &batch.samples, data.targets_per_row());
                targets = Cow::Owned(own);
            } else if let Targets::Values(values) = targets.to_mut() {
                // Of a source of one's own that does not hold them.
                scaling.invert(values);
            }
        }
        let per_row = (batch.targets.len() / batch.len().max(1)).max(1);
        let entry = |at: usize| kept.as_ref().map_or(at, |kept| kept[at]);
        let entries = (0..targets.len()).map(entry);
        let weights = batch.weights.as_ref();
        let weights = weights.map(|all| entries.clone().map(|at| all[at / per_row]).collect());
        let places = entries.map(|at| (batch.samples[at / per_row], at % per_row)).collect();
        Self { outputs, targets, weights, places }
    }
}

/// Hands over what is judged of each batch of a part, in the order of the rows; gives the mean loss,
/// summed in f64 and divided once, so that the size of the batches does not matter.
fn judge(
    predict: &dyn Fn(&Array) -> Result<Array, NnError>,
    loss: &Loss,
    data: &Dataset,
    part: Part,
    mut each: impl FnMut(Judged<'_>),
) -> Result<f64, Error> {
    let mut loader = Loader::new(data, part, ROWS_AT_ONCE, None);
    let mut batch = Batch::default();
    let (mut sum, mut weight) = (0.0, 0.0);
    loader.start(0);
    while loader.next(&mut batch)? {
        let outputs = predict(&batch.input)?;
        let Numbers::F32(numbers) = outputs.numbers else { continue };
        let outputs = HostTensor::new(outputs.shape, numbers);
        let (of_batch, by) = loss.sum(&outputs, &batch)?;
        sum += of_batch;
        weight += by;
        each(Judged::of(&outputs, &batch, loss, data));
    }
    Ok(sum / weight)
}
