//! A text as numbers.

use std::fmt;

use super::Source;
use super::cut::Cut;
use crate::{Batch, DataError, Origin, Targets};

/// A text as numbers, and its windows.
pub(crate) struct Tokens {
    pub origin: Origin,
    pub name: String,
    pub vocabulary: Vec<String>,
    pub tokens: Vec<u32>,
    /// One number: how many tokens a window has.
    pub shape: [usize; 1],
    pub stride: usize,
    /// The first token of each window.
    pub starts: Vec<usize>,
}

impl Source for Tokens {
    fn len(&self) -> usize {
        self.starts.len()
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

    fn is_of_indices(&self) -> bool {
        true
    }

    fn feature_names(&self) -> &[String] {
        &[]
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.vocabulary)
    }

    fn targets_per_row(&self) -> usize {
        self.context()
    }

    fn targets(&self) -> Option<&Targets> {
        None
    }

    fn divide_in_order(&self, fractions: [f64; 3]) -> Option<[Vec<usize>; 3]> {
        let cut = Cut {
            positions: self.tokens.len(),
            starts: &self.starts,
            reach: self.context() + 1,
            judged: self.context(),
        };
        Some(cut.divide(fractions))
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        let mut next = match std::mem::take(&mut batch.targets) {
            Targets::Classes(classes) => classes,
            Targets::Values(_) => Vec::new(),
        };
        next.clear();
        let input = batch.input.refill_i64([rows.len(), self.context()]);
        for (input, &row) in input.chunks_exact_mut(self.context()).zip(rows) {
            self.read_window(row, input, &mut next);
        }
        batch.targets = Targets::Classes(next);
        Ok(())
    }
}

/// Without the text.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("name", &self.name)
            .field("tokens", &self.tokens.len())
            .field("context", &self.context())
            .field("windows", &self.starts.len())
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// How many tokens a window has.
    pub fn context(&self) -> usize {
        self.shape[0]
    }

    /// Writes the window of a row, and the tokens that follow each of its tokens.
    fn read_window(&self, row: usize, input: &mut [i64], targets: &mut Vec<u32>) {
        let start = self.starts[row];
        let window = &self.tokens[start..start + self.context() + 1];
        input.iter_mut().zip(window).for_each(|(to, token)| *to = i64::from(*token));
        targets.extend_from_slice(&window[1..]);
    }
}
