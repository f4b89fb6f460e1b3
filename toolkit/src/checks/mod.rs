//! Diagnostics: questions that the playbook asks before and during training, answered with
//! evidence.
//!
//! Each runs on a copy of the trainer's task, or brings the trainer back to where it was, and asserts
//! by hash that the trainer has not changed.

mod baselines;
mod batch_size;
mod dependencies;
mod dev_run;
mod gradient_noise;
mod init_report;
mod lr_curve;
mod lr_finder;
mod lr_range;
mod memory;
mod overfit;
mod schedule;
mod start;

pub use baselines::{Baseline, BaselineCheck, BaselineScore, Baselines, Margin, Margins};
pub use batch_size::{BatchSize, BatchSizes, linear_scaling};
pub use dependencies::{Dependencies, Leak};
pub use dev_run::DevRun;
pub use gradient_noise::GradientNoise;
pub use init_report::{InitReport, Spread, Verdict};
pub use lr_curve::{LrCurve, LrPoint, LrSuggestions};
pub use lr_range::LrRange;
pub use memory::MemoryReport;
pub use overfit::{Culprit, GradientFault, OverfitCheck, OverfitReport};
pub use schedule::{SchedulePreview, ScheduledRate};
pub use start::LossAtStart;

use trainbook_store::Value;

use crate::Error;
use crate::data::{Batch, DataError, Part, Targets};
use crate::random::Stream;
use crate::task::Task;
use crate::trainer::{FeedStreams, Interrupt, Trainer};

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

    /// A few rows of the training part as one batch, drawn by this stream; of each class as many
    /// where that is known.
    fn few_rows(&self, rows: usize, stream: &'static str) -> Result<Batch, DataError> {
        let mut order = self.data.counting(Part::Train).into_owned();
        Stream::new(self.seed(), stream).at(0, 0).shuffle(&mut order);
        if let (Some(Targets::Classes(classes)), 1) =
            (self.data.targets(), self.data.targets_per_row())
        {
            // How many of its class stand in front of a row.
            let mut seen = vec![0_usize; self.data.classes().unwrap_or(0)];
            let mut turn = vec![0; self.data.len()];
            for &row in &order {
                let class = classes[row] as usize;
                turn[row] = seen[class];
                seen[class] += 1;
            }
            order.sort_by_key(|&row| turn[row]);
        }
        order.truncate(rows);
        self.data.batch(&order)
    }

    /// The trainer's learning rate, or the highest of its schedule, which has said so.
    fn highest_rate(&self) -> f64 {
        self.params.get("lr").and_then(Value::as_f64).unwrap_or(self.base_rate)
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

/// Ends a diagnostic if somebody asks for it.
fn heed(interrupt: &Interrupt, diagnostic: &'static str) -> Result<(), Error> {
    if !interrupt.asked() {
        return Ok(());
    }
    let reason = "it was interrupted; the trainer is as before".to_owned();
    Err(Error::Diagnostic { diagnostic, reason })
}
