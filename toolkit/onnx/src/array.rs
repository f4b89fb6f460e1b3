//! Numbers with a shape: what goes into a model and comes out.

use super::value::{Dim, Element, Value};
use crate::Error;

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

impl Array {
    /// An array of floats.
    pub fn f32(shape: impl Into<Vec<usize>>, numbers: Vec<f32>) -> Self {
        Self { shape: shape.into(), numbers: Numbers::F32(numbers) }
    }

    /// An array of integers.
    pub fn i64(shape: impl Into<Vec<usize>>, numbers: Vec<i64>) -> Self {
        Self { shape: shape.into(), numbers: Numbers::I64(numbers) }
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

    /// The numbers, little-endian.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match &self.numbers {
            Numbers::F32(numbers) => {
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
            Numbers::I64(numbers) => {
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
        }
    }

    /// What [`bytes`](Self::bytes) gave; `None` if they do not fill the shape.
    pub(super) fn from_bytes(element: Element, shape: Vec<usize>, bytes: &[u8]) -> Option<Self> {
        let numbers = match element {
            Element::F32 => Numbers::F32(
                bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            ),
            Element::I64 => Numbers::I64(
                bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
            ),
            Element::Bool => return None,
        };
        let array = Self { shape, numbers };
        let len = array.shape.iter().try_fold(1_usize, |len, size| len.checked_mul(*size))?;
        (len == array.len() && array.bytes().len() == bytes.len()).then_some(array)
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::I64(numbers) => numbers.len(),
        }
    }

    /// What its numbers are.
    pub(super) fn element(&self) -> Element {
        match self.numbers {
            Numbers::F32(_) => Element::F32,
            Numbers::I64(_) => Element::I64,
        }
    }

    /// Every number in f64; the indices of any vocabulary fit.
    #[allow(clippy::cast_precision_loss, reason = "no vocabulary has 2^53 entries")]
    pub(super) fn widen(&self) -> Vec<f64> {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|&number| f64::from(number)).collect(),
            Numbers::I64(numbers) => numbers.iter().map(|&number| number as f64).collect(),
        }
    }

    /// The first rows of the batch.
    pub(super) fn first_rows(&self, rows: usize) -> Self {
        let mut shape = self.shape.clone();
        shape[0] = rows;
        let len = shape.iter().product();
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => Numbers::F32(numbers[..len].to_vec()),
            Numbers::I64(numbers) => Numbers::I64(numbers[..len].to_vec()),
        };
        Self { shape, numbers }
    }

    /// The last row of the batch first.
    pub(super) fn reversed(&self) -> Self {
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => Numbers::F32(reverse_rows(numbers, self.shape[0])),
            Numbers::I64(numbers) => Numbers::I64(reverse_rows(numbers, self.shape[0])),
        };
        Self { shape: self.shape.clone(), numbers }
    }

    /// # Errors
    /// [`Error::Setting`] if these are not what a model with such inputs takes.
    pub(super) fn expect(inputs: &[Self], values: &[Value]) -> Result<(), Error> {
        let shown = |shape: &[usize]| {
            Value::shown(&shape.iter().map(|&size| Dim::Fixed(size)).collect::<Vec<_>>())
        };
        let refuse = |value: String, expected| {
            Err(Error::Setting { setting: "the model's input", value, expected })
        };
        if inputs.len() != values.len() {
            return refuse(format!("{} arrays", inputs.len()), format!("{} arrays", values.len()));
        }
        let mut sizes: Vec<(&str, usize)> = Vec::new();
        for (input, value) in inputs.iter().zip(values) {
            let product =
                input.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
            let fills = product == Some(input.len()) && !input.shape.contains(&0);
            let fits = input.shape.len() == value.shape.len()
                && input.shape.iter().zip(&value.shape).all(|(&size, dim)| match dim {
                    Dim::Fixed(wanted) => size == *wanted,
                    Dim::Named(name) => match sizes.iter().find(|(known, _)| known == name) {
                        Some((_, known)) => size == *known,
                        None => {
                            sizes.push((name, size));
                            true
                        }
                    },
                });
            if !fills || !fits || input.element() != value.element {
                let found = format!(
                    "{} numbers ({:?}) of shape {}",
                    input.len(),
                    input.element(),
                    shown(&input.shape)
                );
                return refuse(found, format!("{value}, and at least one row"));
            }
        }
        Ok(())
    }
}

/// The last of `rows` equal parts first.
pub(super) fn reverse_rows<T: Copy>(numbers: &[T], rows: usize) -> Vec<T> {
    numbers.chunks(numbers.len().div_ceil(rows.max(1)).max(1)).rev().flatten().copied().collect()
}
