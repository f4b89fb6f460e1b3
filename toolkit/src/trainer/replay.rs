//! A step's forward pass, once more, with an eye on every layer.

use trainbook_callbacks::{CallbackError, NonFinite, Replay};

use crate::Error;
use crate::data::Batch;
use crate::task::{Recipe, Task, Trace};

/// A step that can be computed again, before its update.
pub(super) struct StepReplay<'a> {
    pub recipe: &'a Recipe,
    pub task: &'a dyn Task,
    /// The step's batch; of several the first whose loss was not finite, or the last.
    pub batch: &'a Batch,
}

impl Replay for StepReplay<'_> {
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError> {
        let found = |found: trainbook_nn::task::NonFinite| NonFinite {
            layer: match found.path.as_str() {
                "" => found.kind,
                path => format!("{path} ({})", found.kind),
            },
            samples: found.rows.iter().map(|&row| self.batch.samples[row]).collect(),
            nans: found.nans,
            infs: found.infs,
        };
        if let Some(input) = self.of_input() {
            return Ok(Some(input));
        }
        let state = self.task.state().map_err(Error::from)?;
        let trace = Trace::of(self.recipe, &state, self.batch, true).map_err(Error::from)?;
        Ok(trace.first_non_finite().map(found))
    }
}

impl StepReplay<'_> {
    /// What is not finite in the batch itself: data are, but what changes them at random is anybody's.
    fn of_input(&self) -> Option<NonFinite> {
        let numbers = self.batch.input.floats();
        let width = (numbers.len() / self.batch.len().max(1)).max(1);
        let is_bad = |row: &[f32]| row.iter().any(|number| !number.is_finite());
        let rows = numbers.chunks_exact(width).zip(&self.batch.samples);
        let samples: Vec<usize> =
            rows.filter(|(row, _)| is_bad(row)).map(|(_, sample)| *sample).collect();
        let count = |is: fn(f32) -> bool| numbers.iter().filter(|number| is(**number)).count();
        (!samples.is_empty()).then(|| NonFinite {
            layer: "the input".to_owned(),
            samples,
            nans: count(f32::is_nan),
            infs: count(f32::is_infinite),
        })
    }
}
