//! What the network gives for rows of the data, for callbacks.

use trainbook_callbacks::{Answer, CallbackError, Predictions, RowPrediction};

use super::evaluation::{Judged, ROWS_AT_ONCE};
use super::predict::sigmoid;
use crate::Error;
use crate::data::{Dataset, Numbers, Targets};
use crate::metric::probabilities;
use crate::nn::HostTensor;
use crate::task::{Loss, Model, Recipe, Task};

/// A network as it is, and the data.
pub(super) struct OfRows<'a> {
    model: &'a dyn Model,
    loss: &'a Loss,
    data: &'a Dataset,
}

impl<'a> OfRows<'a> {
    /// What this task's network gives; a trainer's parts, because its stack is told meanwhile.
    pub fn new(task: &'a dyn Task, recipe: &'a Recipe, data: &'a Dataset) -> Self {
        Self { model: task.model(), loss: &recipe.loss, data }
    }
}

impl Predictions for OfRows<'_> {
    fn of(&self, rows: &[usize]) -> Result<Vec<RowPrediction>, CallbackError> {
        let known = self.data.len();
        if let Some(row) = rows.iter().find(|row| **row >= known) {
            let reason = format!("predict row {row}: the data have {known}, numbered from 0");
            return Err(CallbackError::custom(reason));
        }
        let mut predictions = Vec::with_capacity(rows.len());
        for rows in rows.chunks(ROWS_AT_ONCE) {
            self.append(rows, &mut predictions)?;
        }
        Ok(predictions)
    }
}

impl OfRows<'_> {
    fn append(&self, rows: &[usize], to: &mut Vec<RowPrediction>) -> Result<(), Error> {
        let batch = self.data.batch(rows)?;
        let outputs = self.model.predict(&batch.input)?;
        let Numbers::F32(numbers) = outputs.numbers else { return Ok(()) };
        let outputs = HostTensor::new(outputs.shape, numbers);
        let judged = Judged::of(&outputs, &batch, self.loss, self.data);
        // What the network gives for one target: a number for each class, or one.
        let width = judged.outputs.len().checked_div(judged.targets.len()).unwrap_or_default();
        let mut from = 0;
        for &row in rows {
            // Its places ascend; where it comes twice in a row, they begin anew.
            let (mut until, mut last) = (from, None);
            while let Some(&(of, place)) = judged.places.get(until)
                && of == row
                && last < Some(place)
            {
                (until, last) = (until + 1, Some(place));
            }
            let outputs = &judged.outputs[from * width..until * width];
            let answer = match &*judged.targets {
                Targets::Classes(classes) => Answer::Classes {
                    probabilities: outputs.chunks(width.max(1)).flat_map(probabilities).collect(),
                    targets: classes[from..until].to_vec(),
                },
                Targets::Values(values) => {
                    let targets = values[from..until].iter().copied().map(f64::from).collect();
                    if self.loss.is_of_labels() {
                        let probabilities = outputs.iter().copied().map(sigmoid).collect();
                        Answer::Labels { probabilities, targets }
                    } else {
                        let values = outputs.iter().copied().map(f64::from).collect();
                        Answer::Values { values, targets }
                    }
                }
            };
            to.push(RowPrediction { row, answer });
            from = until;
        }
        Ok(())
    }
}
