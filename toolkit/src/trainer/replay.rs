//! A step's forward pass, once more, with an eye on every layer.

use trainbook_callbacks::{Activity, CallbackError, NonFinite, Reading, Replay};

use crate::Error;
use crate::data::Batch;
use crate::task::{NonFinite as Found, Recipe, Task, Trace};

/// A step that can be computed again, before its update.
pub(super) struct StepReplay<'a> {
    pub recipe: &'a Recipe,
    pub task: &'a dyn Task,
    /// The step's last batch.
    pub batch: &'a Batch,
    /// Of several batches those whose loss may not be finite, in order.
    pub suspects: &'a [Suspect],
}

/// A batch whose loss is not finite, or not known yet.
pub(super) struct Suspect {
    pub batch: Batch,
    pub loss: Reading,
}

impl StepReplay<'_> {
    /// The step's batch; of several the first whose loss is not finite, or the last.
    fn batch(&self) -> Result<&Batch, CallbackError> {
        if !self.suspects.is_empty() {
            self.task.wait()?;
        }
        let broken = |suspect: &&Suspect| !suspect.loss.get().is_some_and(f64::is_finite);
        Ok(self.suspects.iter().find(broken).map_or(self.batch, |suspect| &suspect.batch))
    }

    fn trace(&self, batch: &Batch) -> Result<Trace, CallbackError> {
        let Self { recipe, task, .. } = self;
        let weights = task.snapshot()?;
        Ok(Trace::of(recipe, &weights, task.updates(), batch, true).map_err(Error::from)?)
    }
}

impl Replay for StepReplay<'_> {
    fn first_non_finite(&self) -> Result<Option<NonFinite>, CallbackError> {
        let batch = self.batch()?;
        let found = |found: Found| NonFinite {
            layer: match found.path.as_str() {
                "" => found.kind,
                path => format!("{path} ({})", found.kind),
            },
            samples: found.rows.iter().map(|&row| batch.samples[row]).collect(),
            nans: found.nans,
            infs: found.infs,
        };
        // Data are finite, but what changes them at random is anybody's.
        let (numbers, rows) = (batch.input.floats(), batch.len());
        if let Some(input) = Found::among(numbers, rows, "", "the input") {
            return Ok(Some(found(input)));
        }
        Ok(self.trace(batch)?.first_non_finite().map(found))
    }

    fn activity(&self) -> Result<Vec<Activity>, CallbackError> {
        Ok(self.trace(self.batch()?)?.activities())
    }
}
