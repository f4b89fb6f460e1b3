//! Numbers with their margins.

use super::super::array::reverse_rows;

/// Four times the largest relative error of one f32 rounding.
pub(super) const FOUR_U: f64 = 4.0 / (1_u64 << 24) as f64;

/// A value or weight: row-major numbers and, beside each, its margin.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Margined {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
    pub margins: Vec<f64>,
}

/// A number and its margin.
pub(super) type Number = (f64, f64);

impl Margined {
    /// Numbers without any error.
    pub fn exact(shape: Vec<usize>, values: Vec<f64>) -> Self {
        Self { shape, margins: vec![0.0; values.len()], values }
    }

    /// The first rows of the batch.
    pub fn first_rows(&self, rows: usize) -> Self {
        let len = self.values.len() / self.shape[0] * rows;
        let shape = [&[rows], &self.shape[1..]].concat();
        Self { shape, values: self.values[..len].to_vec(), margins: self.margins[..len].to_vec() }
    }

    /// The last row of the batch first.
    pub fn reversed(&self) -> Self {
        let reversed = |numbers: &[f64]| reverse_rows(numbers, self.shape[0]);
        Self {
            shape: self.shape.clone(),
            values: reversed(&self.values),
            margins: reversed(&self.margins),
        }
    }

    pub(super) fn new(shape: Vec<usize>, numbers: impl Iterator<Item = Number>) -> Self {
        let (values, margins) = numbers.unzip();
        Self { shape, values, margins }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        self.values.iter().copied().zip(self.margins.iter().copied())
    }

    pub fn number(&self, at: usize) -> Number {
        (self.values[at], self.margins[at])
    }

    /// Row after row along the last axis.
    pub(super) fn by_row(&self, f: impl Fn(&[Number]) -> Vec<Number>) -> Self {
        let numbers: Vec<Number> = self.numbers().collect();
        let width = self.shape.last().copied().unwrap_or(1).max(1);
        Self::new(self.shape.clone(), numbers.chunks_exact(width).flat_map(f))
    }
}
