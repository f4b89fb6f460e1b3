//! Rows in memory.

use std::fmt;

use super::Source;
use crate::{Batch, DataError, Origin, RowMarks, Targets};

/// Rows of numbers in memory. Whoever makes one has checked what [`Source`] promises.
pub(crate) struct Memory {
    pub origin: Origin,
    pub name: String,
    pub shape: Vec<usize>,
    pub feature_names: Vec<String>,
    /// Rows × features.
    pub features: Vec<f32>,
    pub targets: Targets,
    pub targets_per_row: usize,
    /// `None` for regression.
    pub class_names: Option<Vec<String>>,
    pub marks: Option<RowMarks>,
    /// Where a person finds each row; empty if that cannot be said.
    pub places: Vec<String>,
}

impl Source for Memory {
    fn len(&self) -> usize {
        self.targets.len() / self.targets_per_row
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    fn targets_per_row(&self) -> usize {
        self.targets_per_row
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn marks(&self) -> Option<&RowMarks> {
        self.marks.as_ref()
    }

    fn place(&self, row: usize) -> Option<String> {
        self.places.get(row).cloned()
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, self.targets_per_row);
        let width = self.feature_names.len();
        let shape = std::iter::once(rows.len()).chain(self.shape.iter().copied());
        let numbers = batch.input.refill_f32(shape);
        for (out, &row) in numbers.chunks_exact_mut(width).zip(rows) {
            out.copy_from_slice(&self.features[row * width..][..width]);
        }
        Ok(())
    }
}

/// Without the numbers.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("name", &self.name)
            .field("rows", &self.len())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}
