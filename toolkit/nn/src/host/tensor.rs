//! Numbers in the processor's memory.

use std::sync::Arc;

/// The samples of a batch, row-major. A clone shares the memory; whoever holds it alone may change
/// it.
#[derive(Clone, Debug, Default)]
pub struct HostTensor {
    /// Its dimensions, the batch first.
    pub shape: Vec<usize>,
    numbers: Arc<Vec<f32>>,
    indices: Option<Arc<[usize]>>,
}

impl HostTensor {
    /// These numbers in this shape; the caller has seen to it that they fill it.
    pub fn new(shape: Vec<usize>, numbers: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), numbers.len());
        Self { shape, numbers: Arc::new(numbers), indices: None }
    }

    /// Indices, with which a network begins.
    pub fn of_indices(shape: Vec<usize>, indices: Arc<[usize]>) -> Self {
        Self { shape, numbers: Arc::default(), indices: Some(indices) }
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

    /// The memory, if nobody else holds it.
    pub(crate) fn into_memory(self) -> Option<Vec<f32>> {
        Arc::try_unwrap(self.numbers).ok()
    }
}
