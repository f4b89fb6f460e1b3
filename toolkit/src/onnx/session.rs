//! A model loaded in ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::ep;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::graph::expect_len;
use super::runtime::{self, Runtime};
use crate::Error;

/// A model file loaded in ONNX Runtime, on the CPU with one thread and all optimisations.
#[derive(Debug)]
pub struct Session {
    /// Runs need exclusive access.
    inner: Mutex<ort::session::Session>,
    width: usize,
    path: PathBuf,
}

impl Session {
    /// Loads a model with one float input of shape `[batch, width]`. `library` is where ONNX Runtime is; `None` searches it as
    /// [`find`](runtime::find) says.
    ///
    /// # Errors
    /// [`Error::Runtime`] without ONNX Runtime, [`Error::Read`] if the file cannot be read, [`Error::OnnxFile`] if ONNX Runtime refuses it.
    pub fn open(path: &Path, library: Option<&Path>) -> Result<Self, Error> {
        let runtime = runtime::load(library)?;
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(runtime, path, &bytes, true)
    }

    pub(super) fn from_bytes(runtime: &Runtime, path: &Path, bytes: &[u8], optimize: bool) -> Result<Self, Error> {
        let refused = |reason| Error::OnnxFile { path: path.into(), reason };
        let inner = load(runtime, bytes, optimize).map_err(|e| refused(one_line(&e)))?;
        let width = match inner.inputs() {
            [input] => match input.dtype() {
                ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } if shape.len() == 2 => {
                    usize::try_from(shape[1]).ok()
                }
                _ => None,
            },
            _ => None,
        };
        let width = width.ok_or_else(|| refused("it must have one float input of shape [batch, width]".into()))?;
        Ok(Self { inner: Mutex::new(inner), width, path: path.into() })
    }

    /// The model's first output for `rows` rows, row-major.
    ///
    /// # Errors
    /// [`Error::Setting`] if `input` is not `rows` rows, [`Error::OnnxFile`] if ONNX Runtime fails.
    pub fn predict(&self, input: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let first = self.run(input, rows)?.into_iter().next();
        first.ok_or_else(|| Error::OnnxFile { path: self.path.clone(), reason: "it has no output".into() })
    }

    /// All outputs.
    pub(super) fn run(&self, input: &[f32], rows: usize) -> Result<Vec<Vec<f32>>, Error> {
        expect_len(input.len(), rows, self.width)?;
        let refused = |e: ort::Error| Error::OnnxFile { path: self.path.clone(), reason: one_line(&e) };
        let input = TensorRef::from_array_view(([rows, self.width], input)).map_err(refused)?;
        let mut session = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(ort::inputs![input]).map_err(refused)?;
        outputs.values().map(|value| Ok(value.try_extract_tensor::<f32>().map_err(refused)?.1.to_vec())).collect()
    }
}

fn load(runtime: &Runtime, bytes: &[u8], optimize: bool) -> Result<ort::session::Session, ort::Error> {
    let level = if optimize { GraphOptimizationLevel::All } else { GraphOptimizationLevel::Disable };
    // Said in full, because ort would fall back silently and threads would make the order of sums depend on the machine.
    let session = ort::session::Session::builder(&runtime.environment)?
        .with_execution_providers([ep::CPU::default().build().error_on_failure()])?
        .with_optimization_level(level)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .commit_from_memory(bytes)?;
    Ok(session)
}

fn one_line(error: &ort::Error) -> String {
    format!("ONNX Runtime says: {}", error.message().split_whitespace().collect::<Vec<_>>().join(" "))
}
