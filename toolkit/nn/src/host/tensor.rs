//! Numbers in the processor's memory.

use std::sync::Arc;

use super::{Memory, half};

/// The samples of a batch, row-major. A clone shares the memory; whoever holds it alone may change
/// it.
#[derive(Clone, Debug, Default)]
pub struct HostTensor {
    /// Its dimensions, the batch first.
    pub shape: Vec<usize>,
    numbers: Arc<Vec<f32>>,
    indices: Option<Arc<[usize]>>,
    /// Whether the numbers are known to be such as f16 holds.
    half: bool,
}

impl HostTensor {
    /// These numbers in this shape; the caller has seen to it that they fill it.
    pub fn new(shape: Vec<usize>, numbers: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), numbers.len());
        Self { shape, numbers: Arc::new(numbers), indices: None, half: false }
    }

    /// Indices, with which a network begins.
    pub fn of_indices(shape: Vec<usize>, indices: Arc<[usize]>) -> Self {
        Self { shape, numbers: Arc::default(), indices: Some(indices), half: false }
    }

    /// In place of a gradient that nobody asked for.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether it is in place of a gradient that nobody asked for.
    pub fn is_none(&self) -> bool {
        self.shape.is_empty()
    }

    /// The indices that a network begins with; `None` for numbers.
    pub fn indices(&self) -> Option<&Arc<[usize]>> {
        self.indices.as_ref()
    }

    /// How many samples there are.
    pub fn batch(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Its last dimension.
    pub fn last(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// The numbers.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// The numbers to be changed; copied first if somebody else holds them too.
    pub fn numbers_mut(&mut self) -> &mut [f32] {
        self.half = false;
        let numbers: &mut Vec<f32> = Arc::make_mut(&mut self.numbers);
        numbers
    }

    /// The same memory in another shape of as many numbers.
    #[must_use]
    pub fn reshaped(self, shape: Vec<usize>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.numbers.len());
        Self { shape, ..self }
    }

    /// The numbers, copied if somebody else holds them too.
    pub fn into_numbers(self) -> Vec<f32> {
        Arc::unwrap_or_clone(self.numbers)
    }

    /// The same in other memory, which nobody else holds.
    pub(crate) fn copied(&self, memory: &mut Memory) -> Self {
        let mut copy = memory.take(self.numbers.len());
        copy.copy_from_slice(&self.numbers);
        Self {
            shape: self.shape.clone(),
            numbers: Arc::new(copy),
            indices: self.indices.clone(),
            half: self.half,
        }
    }

    /// Whether the numbers are known to be such as f16 holds.
    pub(crate) fn is_half(&self) -> bool {
        self.half
    }

    /// Says whether the numbers are such as f16 holds.
    pub(crate) fn set_half(&mut self, half: bool) {
        self.half = half;
    }

    /// The same, rounded to f16. If somebody else holds the memory too, a copy in other memory.
    pub(crate) fn rounded(mut self, memory: &mut Memory) -> Self {
        if self.half || self.numbers.is_empty() {
            return self;
        }
        match Arc::get_mut(&mut self.numbers) {
            Some(numbers) => half::round(numbers),
            None => {
                self = self.copied(memory);
                half::round(self.numbers_mut());
            }
        }
        self.half = true;
        self
    }

    /// The memory, if nobody else holds it.
    pub(crate) fn into_memory(self) -> Option<Vec<f32>> {
        Arc::try_unwrap(self.numbers).ok()
    }
}
