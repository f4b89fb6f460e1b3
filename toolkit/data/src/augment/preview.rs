//! What an augmentation makes of a row, to look at.

use trainbook_core::array::Array;
use trainbook_core::random::{Seed, Stream};

use super::Augment;
use crate::{Batch, DataError, Dataset};

impl Dataset {
    /// A row as it is and in `count` forms, of shape `[count + 1, …]`: what a training under this
    /// seed sees of it in the epochs 0, 1, … The numbers are normalised, as a network takes them.
    ///
    /// # Errors
    /// There is no such row, it cannot be read, or the augmentation is not for rows like it.
    pub fn preview_augmented(
        &self,
        row: usize,
        augment: &Augment,
        seed: Seed,
        count: usize,
    ) -> Result<Array, DataError> {
        if row >= self.len() {
            let reason = format!("it has {} rows, counted from 0, and no row {row}", self.len());
            return Err(DataError::Refused { action: "preview", reason });
        }
        augment.check(self.shape(), self.is_of_indices())?;
        let stream = Stream::new(seed, "augment");
        let mut batch = Batch::default();
        let mut numbers = Vec::with_capacity(self.width() * (count + 1));
        for form in 0..=count {
            self.read(&[row], &mut batch)?;
            batch.samples = vec![row];
            if let Some(epoch) = form.checked_sub(1) {
                augment.apply(&mut batch, &stream, epoch as u64);
            }
            numbers.extend_from_slice(batch.input.floats());
        }
        let shape: Vec<usize> =
            std::iter::once(count + 1).chain(self.shape().iter().copied()).collect();
        Ok(Array::f32(shape, numbers))
    }
}
