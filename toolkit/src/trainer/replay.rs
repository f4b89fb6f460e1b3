//! A step's forward pass, once more, with an eye on every layer.

use trainbook_callbacks::{Activity, CallbackError, NonFinite, Replay};

use crate::Error;
use crate::data::Batch;
use crate::task::{NonFinite as Found, Recipe, Task, Trace};

/// A step that can be computed again, before its update.
pub(super) struct StepReplay<'a> {
    pub recipe: &'a Recipe,
    pub task: &'a dyn Task,
    /// The step's batch; of several the first whose loss was not finite, or the last.
    pub batch: &'a Batch,
}

impl StepReplay<'_> {
    fn trace(&self) -> Result<Trace, CallbackError> {
        let Self { recipe, task, batch } = self;
        let weights = task.snapshot()?;
        Ok(Trace::of(recipe, &weights, task.updates(), batch, true).map_err(Error::from)?)
    }
}

impl Replay for StepReplay<'_> {
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError> {
        let found = |found: Found| NonFinite {
            layer: match found.path.as_str() {
                "" => found.kind,
                path => format!("{path} ({})", found.kind),
            },
            samples: found.rows.iter().map(|&row| self.batch.samples[row]).collect(),
            nans: found.nans,
            infs: found.infs,
        };
        // Data are finite, but what changes them at random is anybody's.
        let (numbers, rows) = (self.batch.input.floats(), self.batch.len());
        if let Some(input) = Found::among(numbers, rows, "", "the input") {
            return Ok(Some(found(input)));
        }
        Ok(self.trace()?.first_non_finite().map(found))
    }

    fn activity(&self) -> Result<Vec<Activity>, CallbackError> {
        Ok(self.trace()?.activities())
    }
}
