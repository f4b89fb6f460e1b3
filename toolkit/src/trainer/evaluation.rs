//! How good a network is on one part of the data.

use serde::Serialize;
use trainbook_store::Metric;

use crate::Error;
use crate::data::{Batch, DataError, Dataset, Loader, Part, Targets};
use crate::nn::HostTensor;
use crate::task::{Loss, Model};

/// How good a network is on one part of the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Which part.
    pub part: Part,
    /// How many rows it has.
    pub rows: usize,
    /// The mean loss over its rows, or what the loss counts in their place.
    pub loss: f64,
    /// How many rows were classified right; `None` for values.
    pub correct: Option<usize>,
}

/// Rows that are predicted at once; has no influence on any result.
const ROWS_AT_ONCE: usize = 256;

impl Evaluation {
    /// Of `model` on one part of `data`. The loss is summed in f64, in the order of the rows, and
    /// divided once, so that the size of the batches does not matter.
    pub(crate) fn of(
        model: &dyn Model,
        loss: &Loss,
        data: &Dataset,
        part: Part,
    ) -> Result<Self, Error> {
        let rows = data.part(part).len();
        if rows == 0 {
            let reason = format!("the {part} part is empty");
            return Err(DataError::Refused { action: "evaluate on", reason }.into());
        }
        let mut loader = Loader::new(data, part, ROWS_AT_ONCE, None);
        let mut batch = Batch::default();
        let (mut sum, mut weight) = (0.0, 0.0);
        let mut correct = 0;
        loader.start(0);
        while loader.next(&mut batch) {
            let outputs = model.predict(&batch.features, batch.samples.len())?;
            correct += count_correct(&outputs, model.outputs(), &batch.targets);
            let shape =
                std::iter::once(batch.samples.len()).chain(model.output_shape().iter().copied());
            let outputs = HostTensor::new(shape.collect(), outputs);
            let (of_batch, by) = loss.objective().sum(&outputs, &batch.targets)?;
            sum += of_batch;
            weight += by;
        }
        let correct = data.classes().is_some().then_some(correct);
        Ok(Self { part, rows, loss: sum / weight, correct })
    }

    /// The share of rows classified right; `None` for values.
    pub fn accuracy(&self) -> Option<f64> {
        self.correct.map(|correct| correct as f64 / self.rows as f64)
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let prefix = self.part.prefix();
        let mut metrics = vec![Metric { name: format!("{prefix}_loss").into(), value: self.loss }];
        if let Some(accuracy) = self.accuracy() {
            metrics.push(Metric { name: format!("{prefix}_accuracy").into(), value: accuracy });
        }
        metrics
    }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of the {} part: loss {:.4}", self.rows, self.part, self.loss)?;
        if let (Some(accuracy), Some(correct)) = (self.accuracy(), self.correct) {
            write!(f, ", accuracy {accuracy:.4} ({correct} right)")?;
        }
        Ok(())
    }
}

/// The rows whose largest output is that of their class; the first of equal outputs counts, NaN
/// never does.
pub fn count_correct(outputs: &[f32], width: usize, targets: &Targets) -> usize {
    let Targets::Classes(classes) = targets else { return 0 };
    let right = |row: &[f32], class: u32| argmax(row) == Some(class as usize);
    outputs.chunks_exact(width).zip(classes).filter(|(row, class)| right(row, **class)).count()
}

fn argmax(row: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, value) in row.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|b| *value > row[b]) {
            best = Some(i);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_and_nan_never_wins() {
        let outputs = [1.0, 1.0, f32::NAN, 0.5, f32::NAN, f32::NAN];
        let classes = |c: [u32; 3]| Targets::Classes(c.to_vec());
        assert_eq!(count_correct(&outputs, 2, &classes([0, 1, 0])), 2);
        assert_eq!(count_correct(&outputs, 2, &classes([1, 0, 1])), 0);
    }
}
