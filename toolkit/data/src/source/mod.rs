//! Where the rows of a data set come from. **Open this file first to write a source of your own.**

mod cut;
mod images;
mod memory;
mod shards;
mod table;
mod text;
mod windows;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

pub(super) use images::Images;
pub(super) use memory::Memory;
pub(super) use table::{Kept, TableSource};
pub(super) use text::Tokens;
pub(super) use windows::{Series, Windows};

use super::{Batch, DataError, Encoding, Origin, RowMarks, Targets};

/// Where the rows of a data set come from: memory, a table, a folder of images, shards on disk. A
/// row has a number, its place in the source counted from 0, and is the same every time it is read.
///
/// What it hands out is raw: [`Dataset`](super::Dataset) normalises, splits and shuffles.
pub trait Source: Any + Debug + Send + Sync {
    /// How many rows there are; at least 1.
    fn len(&self) -> usize;

    /// Always false: a source has at least one row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What reports call it: the file as it was named.
    fn name(&self) -> &str;

    /// How it was made, so that it can be made again.
    fn origin(&self) -> Origin {
        Origin::Memory
    }

    /// What the input of a row looks like: `[features]`, `[channels, height, width]`, `[positions]`.
    fn shape(&self) -> &[usize];

    /// Whether a row is made of indices, such as characters, and not of numbers.
    fn is_of_indices(&self) -> bool {
        false
    }

    /// The features' names, in order: as many as a row has numbers, and none for indices.
    fn feature_names(&self) -> &[String];

    /// The classes' names, in order; `None` when targets are real numbers.
    fn class_names(&self) -> Option<&[String]>;

    /// How many targets a row has: values, labels or positions.
    fn targets_per_row(&self) -> usize {
        1
    }

    /// The targets of all rows, row after row, if they are in memory: only then can rows be divided
    /// or drawn by their class. Classes are counted from 0 without gaps, values are finite.
    fn targets(&self) -> Option<&Targets>;

    /// What is known of rows beside features and targets; each list has an entry for every row.
    fn marks(&self) -> Option<&RowMarks> {
        None
    }

    /// Where a person finds a row, if there is such a place: "line 17", or an image's file.
    fn place(&self, row: usize) -> Option<String> {
        let _ = row;
        None
    }

    /// The rows of each part, ascending, where the source itself says them, such as files of their
    /// own: a table's other rows are all trained on until a split divides them. The rows of the
    /// training part come first.
    fn parts(&self) -> Option<[Vec<usize>; 3]> {
        None
    }

    /// How a table's columns become features; `None` for what is no table.
    fn encoding(&self) -> Option<&Encoding> {
        None
    }

    /// The rows of each part, ascending, if what they are cut from is cut at these fractions, which
    /// sum to 1; `None` where rows have nothing in common and any division is as good. Windows that
    /// overlap are divided so, and by [`Split::in_order`](crate::Split::in_order) alone.
    fn divide_in_order(&self, fractions: [f64; 3]) -> Option<[Vec<usize>; 3]> {
        let _ = fractions;
        None
    }

    /// Fills `input` and `targets` of a batch with these rows, in this order. Numbers are finite.
    ///
    /// # Errors
    /// A row cannot be read, or is not what it should be.
    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError>;

    /// Whether anything of it depends on the rows that are trained on; see [`fit`](Self::fit).
    fn is_fitted(&self) -> bool {
        false
    }

    /// The same source, fitted anew to the rows that are trained on; `None` where nothing
    /// changes. A table fills its gaps so: with the mean of the training part alone.
    ///
    /// # Errors
    /// These rows allow no fit.
    fn fit(&self, train: &[usize]) -> Result<Option<Arc<dyn Source>>, DataError> {
        let _ = train;
        Ok(None)
    }
}
