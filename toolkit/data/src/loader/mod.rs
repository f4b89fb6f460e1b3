//! Batches of one part, epoch after epoch.

use super::{Batch, DataError, Dataset, Part};
use trainbook_core::random::Stream;

/// Hands out the rows of one [`Part`] in batches. An epoch sees each row exactly once; its last
/// batch may be smaller.
///
/// ```text
/// loader.start(epoch);
/// while loader.next(&mut batch)? { … }
/// ```
#[derive(Debug)]
pub struct Loader {
    data: Dataset,
    part: Part,
    batch_size: usize,
    shuffle: Option<Stream>,
    order: Vec<usize>,
    at: usize,
}

impl Loader {
    /// A loader over `part` in batches of `batch_size` rows (0 counts as 1). With a stream the rows
    /// are shuffled by `stream.at(epoch, 0)`, so an epoch's order follows from the seed and the
    /// epoch's number alone; without one they come in ascending order. An empty part gives no
    /// batches.
    pub fn new(data: &Dataset, part: Part, batch_size: usize, shuffle: Option<Stream>) -> Self {
        let order = data.part(part).to_vec();
        let at = order.len();
        Self { data: data.clone(), part, batch_size: batch_size.max(1), shuffle, order, at }
    }

    /// How many batches an epoch has.
    pub fn batches_per_epoch(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Begins epoch number `epoch`, wherever the last one stopped. Before the first call there is
    /// no batch.
    pub fn start(&mut self, epoch: u64) {
        self.order.copy_from_slice(self.data.part(self.part));
        if let Some(stream) = &self.shuffle {
            stream.at(epoch, 0).shuffle(&mut self.order);
        }
        self.at = 0;
    }

    /// Fills `batch` with the epoch's next rows, normalised. At the end of the epoch `batch` is
    /// left as it is and the answer is false.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool, DataError> {
        let rows = &self.order[self.at..self.order.len().min(self.at + self.batch_size)];
        if rows.is_empty() {
            return Ok(false);
        }
        self.data.read(rows, batch)?;
        batch.samples.clear();
        batch.samples.extend_from_slice(rows);
        self.at += rows.len();
        Ok(true)
    }
}
