//! Batches of one part, epoch after epoch.
//!
//! A [`Loader`] reads when it is asked, a [`Prefetch`] (`prefetch.rs`) ahead of that in a thread, and
//! both are [`Batches`]; `sampling.rs` says which rows an epoch sees, `buckets.rs` how rows of like
//! length come together.

mod buckets;
mod position;
mod prefetch;
mod sampling;

use super::{Augment, Batch, DataError, Dataset, Part};
use buckets::Lengths;
use sampling::Pool;
use trainbook_core::random::Stream;

pub use buckets::Buckets;
pub use position::LoaderPosition;
pub use prefetch::Prefetch;
pub use sampling::{LastBatch, Sampling};

/// Batches, epoch after epoch: what a training loop needs of them.
pub trait Batches {
    /// How many batches an epoch has.
    fn batches_per_epoch(&self) -> usize;

    /// Begins epoch number `epoch`, wherever the last one stopped. Before the first call there is no
    /// batch.
    fn start(&mut self, epoch: u64);

    /// Goes to a position: the batches that follow are those that would have followed there.
    ///
    /// # Errors
    /// The epoch has fewer batches: the position is that of another loader.
    fn resume(&mut self, position: LoaderPosition) -> Result<(), DataError>;

    /// Fills `batch` with the epoch's next rows, normalised. At the end of the epoch `batch` is left as it is and the
    /// answer is false.
    ///
    /// # Errors
    /// A row cannot be read.
    fn next(&mut self, batch: &mut Batch) -> Result<bool, DataError>;
}

/// Hands out the rows of one [`Part`] in batches, without those that [count](Dataset::counting) for
/// nothing. An epoch sees each row exactly once and its last
/// batch may be smaller, unless [`sampling`](Self::sampling) or [`last_batch`](Self::last_batch)
/// says otherwise.
///
/// ```text
/// loader.start(epoch);
/// while loader.next(&mut batch)? { … }
/// ```
#[derive(Debug)]
pub struct Loader {
    data: Dataset,
    /// How many rows of the part count.
    rows: usize,
    part: Part,
    batch_size: usize,
    shuffle: Option<Stream>,
    pool: Pool,
    last: LastBatch,
    augment: Option<(Augment, Stream)>,
    lengths: Option<Lengths>,
    epoch: u64,
    order: Vec<usize>,
    /// How often the epoch has seen each row of `order` before; empty where it sees each once.
    times: Vec<u32>,
    at: usize,
}

impl Loader {
    /// A loader over `part` in batches of `batch_size` rows (0 counts as 1). With a stream the rows
    /// are shuffled by `stream.at(epoch, 0)`, so an epoch's order follows from the seed and the
    /// epoch's number alone; without one they come in ascending order. An empty part gives no
    /// batches.
    pub fn new(data: &Dataset, part: Part, batch_size: usize, shuffle: Option<Stream>) -> Self {
        let (pool, last) = (Pool::Shuffled, LastBatch::Keep);
        Self {
            data: data.clone(),
            rows: data.counting(part).len(),
            part,
            batch_size: batch_size.max(1),
            shuffle,
            pool,
            last,
            augment: None,
            lengths: None,
            epoch: 0,
            order: Vec::new(),
            times: Vec::new(),
            at: 0,
        }
    }

    /// The same loader with rows drawn in this way, by `stream.at(epoch, 0)`. The default is
    /// [`Sampling::Shuffled`]. Takes effect when an epoch is started.
    ///
    /// # Errors
    /// Rows are to be drawn and the loader has no stream, classes are to be balanced and targets
    /// are no classes, or rows have no weights, or none above 0.
    pub fn sampling(mut self, sampling: Sampling) -> Result<Self, DataError> {
        if self.shuffle.is_none() && sampling != Sampling::Shuffled {
            let reason = format!(
                "Sampling::{sampling:?} draws rows at random; give the loader a stream to draw by"
            );
            return Err(DataError::Refused { action: "draw from", reason });
        }
        self.pool = Pool::new(sampling, &self.data, self.part)?;
        Ok(self)
    }

    /// The same loader with that done to the rows that do not fill a last batch. The default is
    /// [`LastBatch::Keep`]. Takes effect when an epoch is started.
    #[must_use]
    pub fn last_batch(mut self, last: LastBatch) -> Self {
        self.last = last;
        self
    }

    /// The same loader whose rows are changed at random, each by what the stream draws at (epoch,
    /// its number); where an epoch sees a row several times, each time differently.
    ///
    /// # Errors
    /// Rows cannot be changed so.
    pub fn augment(mut self, augment: Augment, stream: Stream) -> Result<Self, DataError> {
        augment.check(self.data.shape(), self.data.is_of_indices())?;
        self.augment = Some((augment, stream));
        Ok(self)
    }

    /// The same loader whose batches hold sequences of like length, each cut behind its longest;
    /// `padding` is the index that fills up the end of shorter ones. Takes effect when an epoch is
    /// started.
    ///
    /// # Errors
    /// Rows are no sequences of indices, cannot be read, or the loader has no stream.
    pub fn bucket_by_length(mut self, padding: i64, buckets: Buckets) -> Result<Self, DataError> {
        if self.shuffle.is_none() {
            let reason = "batches are shuffled; give the loader a stream to draw by".to_owned();
            return Err(DataError::Refused { action: "bucket", reason });
        }
        self.lengths = Some(Lengths::new(&self.data, self.part, padding, buckets)?);
        Ok(self)
    }

    /// The shortest row, where batches are cut behind their longest sequence, and how many positions a
    /// batch of it alone has; `None` where they are not.
    pub fn shortest(&self) -> Option<(usize, usize)> {
        self.lengths.as_ref()?.shortest(&self.data.counting(self.part))
    }

    /// Where it stands: which epoch was started, and how many batches of it have been handed out.
    /// Before the first epoch that is the beginning of epoch 0.
    pub fn position(&self) -> LoaderPosition {
        let batch = self.at.div_ceil(self.batch_size) as u64;
        LoaderPosition { epoch: self.epoch, batch }
    }

    /// The same batches, read ahead by a thread: up to `batches` of them (0 counts as 1) wait to be
    /// taken. An epoch is to be started anew.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn prefetch(self, batches: usize) -> Result<Prefetch, DataError> {
        let most = self.batches_per_epoch().max(1);
        Prefetch::new(self, batches.clamp(1, most))
    }
}

impl Batches for Loader {
    fn batches_per_epoch(&self) -> usize {
        let rows = self.rows;
        match self.last {
            LastBatch::Keep | LastBatch::Fill => rows.div_ceil(self.batch_size),
            LastBatch::Drop => rows / self.batch_size,
        }
    }

    fn start(&mut self, epoch: u64) {
        self.order.clear();
        self.order.extend_from_slice(&self.data.counting(self.part));
        let mut draws = self.shuffle.as_ref().map(|stream| stream.at(epoch, 0));
        if let Some(draws) = &mut draws {
            self.pool.draw(&mut self.order, draws);
        }
        let whole = self.batches_per_epoch().saturating_mul(self.batch_size);
        match self.last {
            LastBatch::Keep => {}
            LastBatch::Drop => self.order.truncate(whole),
            LastBatch::Fill => {
                let rows = self.order.len();
                (rows..whole).for_each(|at| self.order.push(self.order[at - rows]));
            }
        }
        if let (Some(lengths), Some(draws)) = (&self.lengths, &mut draws) {
            lengths.arrange(&mut self.order, self.batch_size, draws);
        }
        (self.epoch, self.at) = (epoch, 0);
        self.times.clear();
        let again = !matches!(self.pool, Pool::Shuffled) || self.last == LastBatch::Fill;
        if again && self.augment.is_some() {
            let mut seen = vec![0; self.data.len()];
            for &row in &self.order {
                self.times.push(seen[row]);
                seen[row] += 1;
            }
        }
    }

    fn resume(&mut self, position: LoaderPosition) -> Result<(), DataError> {
        check(position, self.batches_per_epoch())?;
        self.start(position.epoch);
        let behind = (position.batch as usize).saturating_mul(self.batch_size);
        self.at = self.order.len().min(behind);
        Ok(())
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool, DataError> {
        let rows =
            &self.order[self.at..self.order.len().min(self.at.saturating_add(self.batch_size))];
        if rows.is_empty() {
            return Ok(false);
        }
        self.data.read(rows, batch)?;
        batch.samples.clear();
        batch.samples.extend_from_slice(rows);
        if let Some(lengths) = &self.lengths {
            lengths.cut(rows, &mut batch.input);
        }
        if let Some((augment, stream)) = &self.augment {
            let times = self.times.get(self.at..self.at + rows.len()).unwrap_or_default();
            augment.apply_to_drawn(batch, times, stream, self.epoch);
        }
        self.at += rows.len();
        Ok(true)
    }
}

fn check(position: LoaderPosition, batches: usize) -> Result<(), DataError> {
    if position.batch <= batches as u64 {
        return Ok(());
    }
    Err(DataError::Setting {
        setting: "the loader's position",
        value: format!("batch {} of epoch {}", position.batch, position.epoch),
        expected: format!(
            "one of this loader's own, whose epochs have {batches} batches; the data or the size \
             of batches is another"
        ),
    })
}
