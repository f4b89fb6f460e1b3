//! What the rows of a table become: features, or tokens.

use super::words::Sequences;
use crate::Array;

/// What rows are made of.
pub(crate) enum Input {
    /// Rows × features.
    Features(Vec<f32>),
    /// Shorter rows end in padding.
    Tokens(Sequences),
}

impl Input {
    /// Fills an array with these rows, each of `width` numbers.
    pub(crate) fn read(&self, rows: &[usize], width: usize, into: &mut Array) {
        match self {
            Self::Features(features) => {
                let numbers = into.refill_f32([rows.len(), width]);
                for (out, &row) in numbers.chunks_exact_mut(width).zip(rows) {
                    out.copy_from_slice(&features[row * width..][..width]);
                }
            }
            Self::Tokens(sequences) => {
                let tokens = into.refill_i64([rows.len(), width]);
                for (out, &row) in tokens.chunks_exact_mut(width).zip(rows) {
                    sequences.fill(row, out);
                }
            }
        }
    }

    /// All of so many rows.
    pub(super) fn into_array(self, rows: usize, width: usize) -> Array {
        match self {
            Self::Features(features) => Array::f32([rows, width], features),
            Self::Tokens(_) => {
                let mut array = Array::default();
                self.read(&(0..rows).collect::<Vec<_>>(), width, &mut array);
                array
            }
        }
    }
}
