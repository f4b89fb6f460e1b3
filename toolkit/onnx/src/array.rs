//! Arrays as a model takes them and a file stores them.

pub use trainbook_core::array::{Array, Numbers};

use super::value::{Dim, Element, Value};
use crate::Error;

/// What an array is to a model and to a file.
pub(super) trait Wire: Sized {
    /// The numbers, little-endian.
    fn bytes(&self) -> Vec<u8>;

    /// What [`bytes`](Self::bytes) gave; `None` if they do not fill the shape.
    fn from_bytes(element: Element, shape: Vec<usize>, bytes: &[u8]) -> Option<Self>;

    /// What its numbers are.
    fn element(&self) -> Element;

    /// The last row of the batch first.
    fn reversed(&self) -> Self;

    /// # Errors
    /// [`Error::Setting`] if these are not what a model with such inputs takes.
    fn expect(inputs: &[Self], values: &[Value]) -> Result<(), Error>;
}

impl Wire for Array {
    fn bytes(&self) -> Vec<u8> {
        match &self.numbers {
            Numbers::F32(numbers) => {
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
            Numbers::I64(numbers) => {
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
        }
    }

    fn from_bytes(element: Element, shape: Vec<usize>, bytes: &[u8]) -> Option<Self> {
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

    fn element(&self) -> Element {
        match self.numbers {
            Numbers::F32(_) => Element::F32,
            Numbers::I64(_) => Element::I64,
        }
    }

    fn reversed(&self) -> Self {
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => Numbers::F32(reverse_rows(numbers, self.shape[0])),
            Numbers::I64(numbers) => Numbers::I64(reverse_rows(numbers, self.shape[0])),
        };
        Self { shape: self.shape.clone(), numbers }
    }

    fn expect(inputs: &[Self], values: &[Value]) -> Result<(), Error> {
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
                    // Of sizes without a name, nothing says that they are the same.
                    Dim::Named(name) if name.is_empty() => true,
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
                    "{} {} of shape {}",
                    input.len(),
                    input.element().described(),
                    Value::sizes(&input.shape)
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
