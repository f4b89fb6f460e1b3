//! Diagnostics: questions that the playbook asks before and during training, answered with
//! evidence.
//!
//! Each runs on a copy of the trainer's task, or brings the trainer back to where it was, and asserts
//! by hash that the trainer has not changed.

mod dev_run;
mod init_report;
mod lr_curve;
mod lr_finder;
mod memory;

pub use dev_run::DevRun;
pub use init_report::{InitReport, Spread, Verdict};
pub use lr_curve::{LrCurve, LrPoint, LrSuggestions};
pub use memory::MemoryReport;

use crate::Error;
use crate::data::{Batch, DataError};
use crate::task::Task;
use crate::trainer::{FeedStreams, Trainer};

impl Trainer {
    /// The task as it is, to be trained apart.
    fn copy(&self) -> Result<Box<dyn Task>, Error> {
        let mut copy = self.recipe.task()?;
        copy.load_state(&self.task.state()?)?;
        Ok(copy)
    }

    /// The next epoch's first batch, before its rows are mixed.
    fn first_batch(&self) -> Result<Batch, Error> {
        let mut loader = self.feed.batches(&self.data, self.seed(), FeedStreams::TRAINING)?;
        let mut batch = Batch::default();
        loader.start(self.counters.epoch);
        if !loader.next(&mut batch)? {
            let reason = "the training part is empty".to_owned();
            return Err(DataError::Refused { action: "look at", reason }.into());
        }
        Ok(batch)
    }

    /// Asserts that a diagnostic has left no trace: that the state hashes to what it did before.
    fn is_still(&self, before: blake3::Hash, diagnostic: &'static str) -> Result<(), Error> {
        if self.state_hash()? == before {
            return Ok(());
        }
        let reason = "the trainer changed meanwhile, which must not happen; please report it";
        Err(Error::Diagnostic { diagnostic, reason: reason.to_owned() })
    }
}
