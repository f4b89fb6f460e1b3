//! The rows of a data set: raw, normalised, and one after the other.

use std::num::NonZero;

use crate::{Array, Batch, DataError, Dataset, Numbers, Targets};

/// Rows that are read at once where all are looked at; has no influence on any result.
pub(super) const ROWS_AT_ONCE: usize = 256;

impl Dataset {
    /// These rows as a batch, normalised, their targets scaled. Every row must be less than
    /// [`len`](Self::len).
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn batch(&self, rows: &[usize]) -> Result<Batch, DataError> {
        let mut batch = Batch::default();
        self.read(rows, &mut batch)?;
        batch.samples = rows.to_vec();
        Ok(batch)
    }

    /// Fills a batch with these rows, normalised, their targets scaled.
    pub(crate) fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        self.read_raw(rows, batch)?;
        if let (true, Some(weights)) = (self.weighed, &self.marks.weights) {
            batch.weights = Some(rows.iter().map(|&row| weights[row]).collect());
        }
        if let (Some(scaling), Targets::Values(values)) =
            (self.target_scaling(), &mut batch.targets)
        {
            scaling.apply(values);
        }
        if self.is_without_inputs() {
            match &mut batch.input.numbers {
                Numbers::F32(numbers) => numbers.fill(0.0),
                Numbers::I64(indices) => indices.fill(0),
            }
            return Ok(());
        }
        if self.normalization.is_identity() {
            return Ok(());
        }
        if let Numbers::F32(numbers) = &mut batch.input.numbers {
            numbers.chunks_exact_mut(self.width()).for_each(|row| self.normalization.apply(row));
        }
        Ok(())
    }

    /// The first of these raw numbers, rows × [`width`](Self::width), that has no logarithm and is under
    /// one ([`Normalize::log1p`](crate::Normalize::log1p)): its row and its feature.
    pub fn outside(&self, features: &[f32]) -> Option<(usize, usize)> {
        let rows = features.chunks(self.width().max(1)).enumerate();
        let mut found = rows.filter_map(|(row, x)| Some((row, self.normalization.outside(x)?)));
        found.next()
    }

    /// Normalises raw numbers that are no rows of the data, rows × [`width`](Self::width).
    ///
    /// # Errors
    /// A number has no logarithm and is under one; rows are counted from 0.
    pub fn normalize_rows(&self, features: &mut [f32]) -> Result<(), DataError> {
        if let Some((row, feature)) = self.outside(features) {
            let reason = format!(
                "feature {:?} of row {row} of what is to be predicted is {}, and the network takes \
                 ln(1 + x) of it, which needs more than -1",
                self.feature_names()[feature],
                features[row * self.width() + feature]
            );
            return Err(DataError::Refused { action: "normalise", reason });
        }
        features.chunks_mut(self.width().max(1)).for_each(|row| self.normalization.apply(row));
        Ok(())
    }

    pub(crate) fn read_raw(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        (batch.weights, batch.mixed) = (None, None);
        self.source.read(rows, batch)?;
        // What a row looks like may have been said after the source was made.
        batch.input.shape.truncate(1);
        batch.input.shape.extend_from_slice(&self.shape);
        Ok(())
    }

    /// The inputs of these rows as they stand in the source, before normalisation. Every row must
    /// be less than [`len`](Self::len).
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn raw(&self, rows: &[usize]) -> Result<Array, DataError> {
        let mut batch = Batch::default();
        self.read_raw(rows, &mut batch)?;
        Ok(batch.input)
    }

    /// Hands these rows over, as they stand in the source; none where rows are indices.
    pub(crate) fn each_raw(
        &self,
        rows: &[usize],
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), DataError> {
        let Some(width) = NonZero::new(self.width()) else { return Ok(()) };
        self.each_batch(rows, |rows, input| {
            let numbers = input.floats().chunks_exact(width.get());
            rows.iter().zip(numbers).for_each(|(&row, numbers)| each(row, numbers));
        })
    }

    /// The same of rows of indices.
    pub(crate) fn each_raw_indices(
        &self,
        rows: &[usize],
        mut each: impl FnMut(usize, &[i64]),
    ) -> Result<(), DataError> {
        let size = self.shape.iter().product::<usize>().max(1);
        self.each_batch(rows, |rows, input| {
            let indices = input.integers().chunks_exact(size);
            rows.iter().zip(indices).for_each(|(&row, indices)| each(row, indices));
        })
    }

    fn each_batch(
        &self,
        rows: &[usize],
        mut each: impl FnMut(&[usize], &Array),
    ) -> Result<(), DataError> {
        let mut batch = Batch::default();
        for rows in rows.chunks(ROWS_AT_ONCE) {
            self.read_raw(rows, &mut batch)?;
            each(rows, &batch.input);
        }
        Ok(())
    }

    /// The rows of [`each_raw`](Self::each_raw), with each row's normalised numbers behind the raw
    /// ones.
    pub(crate) fn each(
        &self,
        rows: &[usize],
        mut each: impl FnMut(usize, &[f32], &[f32]),
    ) -> Result<(), DataError> {
        let mut normalized = vec![0.0; self.width()];
        self.each_raw(rows, |row, raw| {
            normalized.copy_from_slice(raw);
            self.normalization.apply(&mut normalized);
            each(row, raw, &normalized);
        })
    }
}
