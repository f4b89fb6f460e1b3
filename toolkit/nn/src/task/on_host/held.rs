//! A network in the processor's memory, as it computes.

use std::sync::Arc;

use trainbook_callbacks::{Snapshot, TensorInfo};
use trainbook_core::array::{Array, Numbers};
use trainbook_onnx::Graph;

use super::super::{Model, indices};
use crate::context::Context;
use crate::host::{Aside, HostPass, HostTensor, Memory};
use crate::plan::Planned;
use crate::{Around, NnError};

/// A network that only computes. Cloning shares the values; training the original copies them
/// first.
#[derive(Clone)]
pub(super) struct Held {
    pub planned: Arc<Planned>,
    pub tensors: Arc<[TensorInfo]>,
    pub values: Arc<Vec<f32>>,
}

/// A batch as this network takes it.
pub(super) fn input(
    planned: &Planned,
    input: &Array,
    memory: &mut Memory,
) -> Result<HostTensor, NnError> {
    planned.check_input(input)?;
    Ok(match &input.numbers {
        Numbers::F32(numbers) => {
            let mut copy = memory.take(numbers.len());
            copy.copy_from_slice(numbers);
            HostTensor::new(input.shape.clone(), copy)
        }
        Numbers::I64(_) => HostTensor::of_indices(input.shape.clone(), indices(input)?),
    })
}

impl Held {
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), NnError> {
        self.planned.layout.check(snapshot)
    }

    /// The sizes must have been checked.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        let values: &mut Vec<f32> = Arc::make_mut(&mut self.values);
        self.planned.layout.restore(snapshot, values);
    }
}

impl Model for Held {
    fn planned(&self) -> &Planned {
        &self.planned
    }

    fn output_shape(&self) -> &[usize] {
        &self.planned.root.output.shape
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn weights(&self) -> Snapshot {
        Snapshot(
            self.planned
                .layout
                .slots()
                .iter()
                .map(|slot| self.values[slot.range()].to_vec())
                .collect(),
        )
    }

    fn predict(&self, of: &Array) -> Result<Array, NnError> {
        let (mut buffers, mut aside, mut memory) =
            (Vec::new(), Aside::default(), Memory::default());
        let x = input(&self.planned, of, &mut memory)?;
        let outputs = HostPass::new(
            &self.planned.root,
            self.planned.layout.slots(),
            &self.values,
            &mut [],
            &mut buffers,
            Context::EVALUATION,
            &mut aside,
            &mut memory,
            false,
        )
        .forward(x)
        .map_err(NnError::from_fault)?;
        Ok(Array::f32(outputs.shape.clone(), outputs.into_numbers()))
    }

    fn graph(&self, output: &str, around: Around<'_>) -> Result<Graph, NnError> {
        crate::onnx_form::graph(&self.planned, &self.values, output, around)
    }
}
