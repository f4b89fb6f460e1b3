//! Batches of sequences of like length.

use serde::{Deserialize, Serialize};
use trainbook_core::array::{Array, Numbers};
use trainbook_core::random::Draws;

use crate::{DataError, Dataset, Part};

/// How batches are made of sequences of like length, each cut behind its longest one: fastai's
/// [SortedDL] and torchtext's BucketIterator.
///
/// After an epoch's rows are drawn, those of so many batches at a time are sorted by length, and then
/// the batches are shuffled. The rows that fill no batch stay last.
///
/// [SortedDL]: https://docs.fast.ai/text.data.html#sorteddl
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// The rows of how many batches are sorted at a time. Default 50, as fastai: fewer leave more to
    /// chance and more padding; of 1, each batch is merely cut.
    pub batches: usize,
    /// How many positions a batch has at least. Default 1.
    pub at_least: usize,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { batches: 50, at_least: 1 }
    }
}

/// How long each row is.
#[derive(Debug)]
pub(super) struct Lengths {
    buckets: Buckets,
    /// Of each row of the data, without the padding at its end; 0 of rows of other parts.
    of_rows: Vec<u32>,
    /// Positions of every row, padding included.
    most: usize,
}

impl Lengths {
    /// Of the rows of a part of sequences of indices, in which this one fills up the end.
    pub(super) fn new(
        data: &Dataset,
        part: Part,
        padding: i64,
        buckets: Buckets,
    ) -> Result<Self, DataError> {
        let refuse = |reason: String| Err(DataError::Refused { action: "bucket", reason });
        let &[most] = data.shape() else {
            return refuse(format!(
                "its rows have the shape {:?}; rows of like length are found among sequences of \
                 indices, [positions]",
                data.shape()
            ));
        };
        if !data.is_of_indices() {
            return refuse("its rows are numbers, of which none is padding".to_owned());
        }
        if buckets.batches == 0 || !(1..=most).contains(&buckets.at_least) {
            return Err(DataError::Setting {
                setting: "bucket_by_length",
                value: format!("{buckets:?}"),
                expected: format!("batches of at least 1, and at_least from 1 to {most}"),
            });
        }
        let mut of_rows = vec![0; data.len()];
        data.each_raw_indices(&data.counting(part), |row, indices| {
            let last = indices.iter().rposition(|&index| index != padding);
            of_rows[row] = last.map_or(0, |last| last as u32 + 1);
        })?;
        Ok(Self { buckets, of_rows, most })
    }

    /// How many positions a batch of these rows has.
    fn of(&self, rows: &[usize]) -> usize {
        let longest = rows.iter().map(|&row| self.of_rows[row] as usize).max().unwrap_or(0);
        longest.clamp(self.buckets.at_least, self.most)
    }

    /// The shortest of these rows, and how many positions a batch of it alone has.
    pub(super) fn shortest(&self, rows: &[usize]) -> Option<(usize, usize)> {
        let row = rows.iter().copied().min_by_key(|&row| self.of_rows[row])?;
        Some((row, self.of(&[row])))
    }

    /// Puts rows of like length together; what the draws say of batches does not depend on lengths.
    pub(super) fn arrange(&self, order: &mut [usize], batch_size: usize, draws: &mut Draws) {
        let whole = order.len() / batch_size * batch_size;
        let (full, _) = order.split_at_mut(whole);
        for chunk in full.chunks_mut(batch_size.saturating_mul(self.buckets.batches)) {
            // In the order in which they were drawn, where they are as long.
            chunk.sort_by_key(|&row| self.of_rows[row]);
        }
        let mut batches: Vec<&[usize]> = full.chunks_exact(batch_size).collect();
        draws.shuffle(&mut batches);
        let shuffled = batches.concat();
        full.copy_from_slice(&shuffled);
    }

    /// Cuts the rows of a batch behind the longest.
    pub(super) fn cut(&self, rows: &[usize], input: &mut Array) {
        let length = self.of(rows);
        let Numbers::I64(indices) = &mut input.numbers else { return };
        if length == self.most {
            return;
        }
        for row in 0..rows.len() {
            let from = row * self.most;
            indices.copy_within(from..from + length, row * length);
        }
        indices.truncate(rows.len() * length);
        input.shape = vec![rows.len(), length];
    }
}
