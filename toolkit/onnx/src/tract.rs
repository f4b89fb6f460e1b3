//! A model loaded in tract, a runtime in Rust that shares no code with ONNX Runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::prelude::{DatumType, Framework as _, InferenceModelExt as _, IntoRunnable as _};
use tract_onnx::prelude::{Tensor, TractResult, TypedSimplePlan};

use super::array::{Array, Numbers};
use crate::Error;

/// With the version that the workspace pins.
pub(super) const NAME: &str = "tract 0.23.9";
/// How many times the margin of a careful f32 evaluation tract may use. Over the models of
/// `toolkit/nn/tests/layers` it used up to 3.0 where a function is computed by a short series, and
/// less than 1 elsewhere.
pub(super) const PATIENCE: f64 = 8.0;

/// A model file loaded in tract.
pub(super) struct Model {
    plan: Arc<TypedSimplePlan>,
    path: PathBuf,
}

impl Model {
    /// # Errors
    /// [`Error::OnnxFile`] if tract does not support the graph.
    pub fn load(path: &Path, mut bytes: &[u8]) -> Result<Self, Error> {
        let plan = unwound(|| {
            tract_onnx::onnx()
                .model_for_read(&mut bytes)
                .and_then(|model| model.into_optimized()?.into_runnable())
        });
        let plan = plan.map_err(|reason| Error::OnnxFile { path: path.into(), reason })?;
        Ok(Self { plan, path: path.into() })
    }

    /// All outputs, which are floats or int64.
    pub fn run(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        let run = || {
            let tensors =
                inputs.iter().map(|input| Ok(tensor(input)?.into())).collect::<TractResult<_>>()?;
            self.plan
                .run(tensors)?
                .iter()
                .map(|output| array(output))
                .collect::<TractResult<Vec<_>>>()
        };
        unwound(run).map_err(|reason| Error::OnnxFile { path: self.path.clone(), reason })
    }
}

/// Runs a part of tract. It panics on recurrent layers whose batch is free; a second opinion that
/// panics is none, and no reason to end the program.
fn unwound<R>(run: impl FnOnce() -> TractResult<R>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err("tract panicked on it".to_owned()),
    }
}

fn tensor(input: &Array) -> TractResult<Tensor> {
    match &input.numbers {
        Numbers::F32(numbers) => Tensor::from_shape(&input.shape, numbers),
        Numbers::I64(numbers) => Tensor::from_shape(&input.shape, numbers),
    }
}

fn array(output: &Tensor) -> TractResult<Array> {
    let shape = output.shape().to_vec();
    if output.datum_type() == DatumType::F32 {
        return Ok(Array::f32(
            shape,
            output.to_plain_array_view::<f32>()?.iter().copied().collect(),
        ));
    }
    let integers = output.cast_to::<i64>()?;
    Ok(Array::i64(shape, integers.to_plain_array_view::<i64>()?.iter().copied().collect()))
}

fn one_line(error: &tract_onnx::prelude::TractError) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    format!("tract says: {}", causes.join(": ").split_whitespace().collect::<Vec<_>>().join(" "))
}
