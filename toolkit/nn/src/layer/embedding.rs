//! Rows of a table, looked up by index.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::{Kind, Sample};

/// The row of a table for each index: indices `[…]` become numbers `[…, embedding_dim]`. As
/// PyTorch's `Embedding`, whose rows begin from a normal of deviation 1, too.
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
}

impl Embedding {
    /// A table of so many rows of so many numbers.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim }
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
        let Self { num_embeddings, embedding_dim } = *self;
        if input.kind != Kind::Indices {
            return Err(Misfit::new("it takes indices, not numbers"));
        }
        if num_embeddings == 0 || embedding_dim == 0 {
            return Err(Misfit::new(format!(
                "its num_embeddings and embedding_dim must be at least 1, not {num_embeddings} and {embedding_dim}"
            )));
        }
        plan.parameter("weight", [num_embeddings, embedding_dim], Role::Weight, Begin::Normal(1.0));
        let mut shape = input.shape.clone();
        shape.push(embedding_dim);
        Ok(Sample::numbers(shape))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let indices = self.inside(x.indices())?.to_vec();
        let mut shape = x.shape().to_vec();
        shape.push(self.embedding_dim);
        let len = indices.len();
        let indices = x.device().try_tensor_from_vec(indices, (len,))?;
        let weight = pass.parameter(0, (self.num_embeddings, self.embedding_dim))?;
        let (_, tape) = x.flat().split_tape();
        Flow::shaped(weight.put_tape(tape).try_gather(indices)?, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let weight = pass.parameter(0, "weight")?;
        pass.node("Gather", &[&weight, &x.name], &[("axis", Attribute::Int(0))])
    }

    fn note(&self) -> String {
        format!("{} → {}", self.num_embeddings, self.embedding_dim)
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
            into[index * width..][..width].iter_mut().zip(row).for_each(|(g, more)| *g += more);
        }
        pass.free(gradient);
        Ok(HostTensor::none())
    }
}
