//! What a fit will hold in memory.

use std::fmt;

use serde::Serialize;

use crate::Error;
use crate::display::table::{Align, Table};
use crate::task::StepMemory;
use crate::trainer::{FeedStreams, Trainer};

/// What a step of a fit holds at its most, in bytes, found by one step on a copy. What the data
/// themselves hold, what one batch of an evaluation does, and what an epoch's smaller last batch
/// keeps beside the full ones, is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryReport {
    /// Rows of a batch.
    pub batch_size: usize,
    /// The batch's numbers, and those of batches that are read ahead.
    pub batches: usize,
    /// What the engine holds.
    pub step: StepMemory,
}

impl Trainer {
    /// What a step of a fit with a full batch will hold in memory at its most, found by one step on a
    /// copy. The trainer is unchanged, which is asserted by hash.
    ///
    /// # Errors
    /// The network or its data fail, or the network is on an accelerator, where nobody counts.
    pub fn memory(&self) -> Result<MemoryReport, Error> {
        let before = self.state_hash()?;
        // With all positions, where batches are cut behind their longest sequence.
        let rows = self.first_batch()?.samples;
        let (mut copy, mut batch) = (self.copy()?, self.data.batch(&rows)?);
        self.feed.mix(&mut batch, self.seed(), FeedStreams::TRAINING, self.counters.batches_seen);
        copy.forward_backward(&batch)?;
        let step = copy.memory().ok_or_else(|| Error::Diagnostic {
            diagnostic: "count memory",
            reason: format!("on {} nobody counts it", self.recipe.device),
        })?;
        self.is_still(before, "count memory")?;
        // One more than are read ahead waits until there is room for it.
        let held = if self.feed.prefetch > 0 { self.feed.prefetch + 2 } else { 1 };
        let batches = held * batch.bytes();
        Ok(MemoryReport { batch_size: self.feed.batch_size, batches, step })
    }
}

impl MemoryReport {
    /// Everything, in bytes.
    pub fn total(&self) -> usize {
        self.batches + self.step.total()
    }

    fn rows(&self) -> [(&'static str, usize); 6] {
        let StepMemory { weights, gradients, moments, copies, activations, .. } = self.step;
        [
            ("batches", self.batches),
            ("weights", weights),
            ("gradients", gradients),
            ("moments", moments),
            ("copies in mixed precision", copies),
            ("activations", activations),
        ]
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[("a step holds", Align::Left), ("MB", Align::Right)]);
        let row = |(name, bytes): (&str, usize)| {
            vec![name.to_owned(), format!("{:.2}", bytes as f64 / 1e6)]
        };
        table.rows.extend(self.rows().into_iter().filter(|(_, bytes)| *bytes > 0).map(row));
        table.rows.push(row(("all", self.total())));
        write!(f, "{}at batches of {}", table.text(), self.batch_size)?;
        match &self.step.uncounted[..] {
            [] => Ok(()),
            layers => write!(
                f,
                "; not counted: what {} holds, which computes in dfdx's operations",
                layers.join(", ")
            ),
        }
    }
}

trainbook_core::shown_as_text!(MemoryReport);
