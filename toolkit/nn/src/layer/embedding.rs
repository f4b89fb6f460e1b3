//! Rows of a table, looked up by index.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real, look_up_rows};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::{Kind, PaddingIndex, Sample};

/// The row of a table for each index: indices `[…]` become numbers `[…, embedding_dim]`. As
/// PyTorch's `Embedding`, whose rows begin from a normal of deviation 1, too.
///
/// With a [`padding_index`](Self::padding_index) the row of that index begins at 0 and is not
/// trained, as PyTorch's `padding_idx`, and where a sample is a sequence of indices, positions that
/// hold it are padding, as Keras's with `mask_zero`: attention gives their keys no weight and
/// [`PositionAvgPool`](super::PositionAvgPool) and [`PositionMaxPool`](super::PositionMaxPool) pass
/// them over, behind any layers that keep the positions.
///
/// Parameter: `weight` (num_embeddings, embedding_dim). It stands at the beginning of a network. In
/// ONNX, where an index counts from the end if it is negative, indices must be in the table, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// How many rows the table has: indices are below it.
    pub num_embeddings: usize,
    /// How many numbers a row has.
    pub embedding_dim: usize,
    /// The index that stands for nothing. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding_index: Option<usize>,
}

impl Embedding {
    /// A table of so many rows of so many numbers.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim, padding_index: None }
    }

    /// The same where this index stands for nothing.
    #[must_use]
    pub fn padding_index(mut self, index: usize) -> Self {
        self.padding_index = Some(index);
        self
    }

    /// The indices, if all of them are in the table.
    fn inside<'a>(
        &self,
        indices: Option<&'a std::sync::Arc<[usize]>>,
    ) -> Result<&'a [usize], Fault> {
        let Some(indices) = indices else {
            return Err(Fault::new("it looks up indices, and there are numbers"));
        };
        match indices.iter().position(|&index| index >= self.num_embeddings) {
            None => Ok(indices),
            Some(at) => Err(Fault::new(format!(
                "index {} is not in its table of {} rows (num_embeddings)",
                indices[at], self.num_embeddings
            ))),
        }
    }
}

impl Sequential {
    /// Appends an [`Embedding`]: a table of so many rows of so many numbers.
    #[must_use]
    pub fn embedding(self, num_embeddings: usize, embedding_dim: usize) -> Self {
        self.with(Embedding::new(num_embeddings, embedding_dim))
    }
}

impl Layer for Embedding {
    const KIND: &'static str = "Embedding";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let Self { num_embeddings, embedding_dim, padding_index } = *self;
        if input.kind != Kind::Indices {
            return Err(Misfit::new("it takes indices, not numbers"));
        }
        if num_embeddings == 0 || embedding_dim == 0 {
            return Err(Misfit::new(format!(
                "its num_embeddings and embedding_dim must be at least 1, not {num_embeddings} and {embedding_dim}"
            )));
        }
        let begin = match padding_index {
            Some(index) if index >= num_embeddings => {
                return Err(Misfit::new(format!(
                    "its padding_index must be below its num_embeddings, {num_embeddings}, not \
                     {index}"
                )));
            }
            Some(row) => Begin::NormalBut { std: 1.0, row },
            None => Begin::Normal(1.0),
        };
        plan.parameter("weight", [num_embeddings, embedding_dim], Role::Weight, begin);
        let mut shape = input.shape.clone();
        shape.push(embedding_dim);
        let positions = input.shape.first().copied().unwrap_or(0);
        let padding =
            padding_index.map(|index| PaddingIndex { index, num_embeddings, positions, first: 0 });
        Ok(Sample::numbers(shape).padded(padding.filter(|_| input.shape.len() == 1)))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let mut shape = x.shape().to_vec();
        shape.push(self.embedding_dim);
        // No gradient goes back to the padding's row.
        let trained = |index: &usize| (self.padding_index != Some(*index)).then_some(*index);
        let indices: Vec<_> = self.inside(x.indices())?.iter().map(trained).collect();
        let weight = pass.parameter(0, (self.num_embeddings, self.embedding_dim))?;
        let (_, tape) = x.flat().split_tape();
        let y = look_up_rows(weight.put_tape(tape), &indices, self.padding_index.unwrap_or(0))?;
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let weight = pass.parameter(0, "weight")?;
        pass.node("Gather", &[&weight, &x.name], &[("axis", Attribute::Int(0))])
    }

    fn note(&self) -> String {
        let padding =
            self.padding_index.map_or(String::new(), |index| format!(", padding {index}"));
        format!("{} → {}{padding}", self.num_embeddings, self.embedding_dim)
    }
}

impl HostLayer for Embedding {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let width = self.embedding_dim;
        let indices = self.inside(x.indices())?;
        let table = pass.parameter(0);
        let mut y = pass.memory(indices.len() * width);
        for (row, &index) in y.chunks_exact_mut(width).zip(indices) {
            row.copy_from_slice(&table[index * width..][..width]);
        }
        let mut shape = x.shape.clone();
        shape.push(width);
        pass.save(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let x = pass.saved()?;
        let width = self.embedding_dim;
        let into = pass.gradient(0);
        // A row may occur several times; in the order of the batch the sum is always the same.
        for (row, &index) in gradient.numbers().chunks_exact(width).zip(self.inside(x.indices())?) {
            if self.padding_index == Some(index) {
                continue;
            }
            into[index * width..][..width].iter_mut().zip(row).for_each(|(g, more)| *g += more);
        }
        pass.free(gradient);
        Ok(HostTensor::none())
    }
}
