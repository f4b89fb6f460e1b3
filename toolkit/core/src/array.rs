//! Numbers with a shape: what goes into a network and comes out.

use std::ops::Range;

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The sizes of its dimensions; the first is the batch.
    pub shape: Vec<usize>,
    /// As many as the product of the sizes.
    pub numbers: Numbers,
}

/// The numbers of an [`Array`].
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Floats.
    F32(Vec<f32>),
    /// Indices.
    I64(Vec<i64>),
}

/// No floats.
impl Default for Numbers {
    fn default() -> Self {
        Self::F32(Vec::new())
    }
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::I64(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// No rows of floats.
impl Default for Array {
    fn default() -> Self {
        Self { shape: vec![0], numbers: Numbers::default() }
    }
}

impl Array {
    /// An array of floats.
    pub fn f32(shape: impl Into<Vec<usize>>, numbers: Vec<f32>) -> Self {
        Self { shape: shape.into(), numbers: Numbers::F32(numbers) }
    }

    /// An array of integers.
    pub fn i64(shape: impl Into<Vec<usize>>, numbers: Vec<i64>) -> Self {
        Self { shape: shape.into(), numbers: Numbers::I64(numbers) }
    }

    /// How many rows there are: the size of the first dimension.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The floats; empty if they are integers.
    pub fn floats(&self) -> &[f32] {
        match &self.numbers {
            Numbers::F32(numbers) => numbers,
            Numbers::I64(_) => &[],
        }
    }

    /// The integers; empty if they are floats.
    pub fn integers(&self) -> &[i64] {
        match &self.numbers {
            Numbers::I64(numbers) => numbers,
            Numbers::F32(_) => &[],
        }
    }

    /// Makes this an array of floats of that shape, whose values are to be written, and keeps the
    /// memory where it can.
    pub fn refill_f32(&mut self, shape: impl IntoIterator<Item = usize>) -> &mut [f32] {
        self.shape.clear();
        self.shape.extend(shape);
        let len = self.shape.iter().product();
        if let Numbers::I64(_) = self.numbers {
            self.numbers = Numbers::F32(Vec::new());
        }
        match &mut self.numbers {
            Numbers::F32(numbers) => {
                numbers.resize(len, 0.0);
                numbers
            }
            Numbers::I64(_) => &mut [],
        }
    }

    /// Makes this an array of integers of that shape, whose values are to be written, and keeps the
    /// memory where it can.
    pub fn refill_i64(&mut self, shape: impl IntoIterator<Item = usize>) -> &mut [i64] {
        self.shape.clear();
        self.shape.extend(shape);
        let len = self.shape.iter().product();
        if let Numbers::F32(_) = self.numbers {
            self.numbers = Numbers::I64(Vec::new());
        }
        match &mut self.numbers {
            Numbers::I64(numbers) => {
                numbers.resize(len, 0);
                numbers
            }
            Numbers::F32(_) => &mut [],
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::I64(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every number in f64; the indices of any vocabulary fit.
    #[allow(clippy::cast_precision_loss, reason = "no vocabulary has 2^53 entries")]
    pub fn widen(&self) -> Vec<f64> {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|&number| f64::from(number)).collect(),
            Numbers::I64(numbers) => numbers.iter().map(|&number| number as f64).collect(),
        }
    }

    /// The first rows of the batch; there must be as many.
    #[must_use]
    pub fn first_rows(&self, rows: usize) -> Self {
        self.some_rows(0..rows)
    }

    /// These rows of the batch, which must be there.
    #[must_use]
    pub fn some_rows(&self, rows: Range<usize>) -> Self {
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        let row: usize = shape[1..].iter().product();
        let kept = rows.start * row..rows.end * row;
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => Numbers::F32(numbers[kept].to_vec()),
            Numbers::I64(numbers) => Numbers::I64(numbers[kept].to_vec()),
        };
        Self { shape, numbers }
    }
}
