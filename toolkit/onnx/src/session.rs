//! A model loaded in ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::ep;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{SessionInputValue, SessionOutputs};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::array::{Array, Numbers, Wire};
use super::graph::rows_shape;
use super::runtime::{self, Runtime};
use super::value::{Dim, Value};
use crate::Error;

/// A model file loaded in ONNX Runtime, on the CPU with one thread and all optimisations.
#[derive(Debug)]
pub struct Session {
    /// Runs need exclusive access.
    inner: Mutex<ort::session::Session>,
    inputs: Vec<Value>,
    path: PathBuf,
}

impl Session {
    /// Loads a model whose inputs are tensors of floats or int64. `library` is where ONNX Runtime
    /// is; `None` searches it as [`find`](runtime::find) says.
    ///
    /// # Errors
    /// [`Error::Runtime`] without ONNX Runtime, [`Error::Read`] if the file cannot be read,
    /// [`Error::OnnxFile`] if ONNX Runtime refuses it.
    pub fn open(path: &Path, library: Option<&Path>) -> Result<Self, Error> {
        let runtime = runtime::load(library)?;
        let bytes =
            std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(runtime, path, &bytes, true)
    }

    pub(super) fn from_bytes(
        runtime: &Runtime,
        path: &Path,
        bytes: &[u8],
        optimize: bool,
    ) -> Result<Self, Error> {
        Self::with_threads(runtime, path, bytes, optimize, 1)
    }

    /// With so many threads for the work within one operator, at least 1.
    pub(super) fn with_threads(
        runtime: &Runtime,
        path: &Path,
        bytes: &[u8],
        optimize: bool,
        threads: usize,
    ) -> Result<Self, Error> {
        let refused = |reason| Error::OnnxFile { path: path.into(), reason };
        let inner = load(runtime, bytes, optimize, threads).map_err(|e| refused(one_line(&e)))?;
        let mut inputs = Vec::new();
        for input in inner.inputs() {
            let (name, ValueType::Tensor { ty, shape, dimension_symbols }) =
                (input.name(), input.dtype())
            else {
                return Err(refused(format!("its input {:?} must be a tensor", input.name())));
            };
            let dims = shape.iter().zip(dimension_symbols.iter()).map(|(&size, symbol)| {
                match usize::try_from(size) {
                    Ok(size) => Dim::Fixed(size),
                    Err(_) => Dim::Named(symbol.clone()),
                }
            });
            let dims: Vec<Dim> = dims.collect();
            inputs.push(match ty {
                TensorElementType::Float32 => Value::f32(name, dims),
                TensorElementType::Int64 => Value::i64(name, dims),
                _ => {
                    let takes = match ty {
                        TensorElementType::String => "strings (STRING)".to_owned(),
                        TensorElementType::Bool => "bools (BOOL)".to_owned(),
                        _ => format!("{ty} numbers"),
                    };
                    return Err(refused(format!(
                        "its input {name:?} takes {takes}; they must be float32 numbers (FLOAT) or int64 numbers (INT64)"
                    )));
                }
            });
        }
        Ok(Self { inner: Mutex::new(inner), inputs, path: path.into() })
    }

    /// The first output for `rows` rows, row-major, of a model with one input of floats.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model takes something else or `input` is not `rows` rows,
    /// [`Error::OnnxFile`] if ONNX Runtime fails.
    pub fn predict(&self, input: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let shape = rows_shape(&self.inputs, input.len(), rows)?;
        let outputs = self.run(&[Array::f32(shape, input.to_vec())])?;
        match outputs.into_iter().next().map(|output| output.numbers) {
            Some(Numbers::F32(numbers)) => Ok(numbers),
            _ => {
                Err(Error::OnnxFile { path: self.path.clone(), reason: "it has no output".into() })
            }
        }
    }

    /// All outputs, which are floats or int64, for inputs of any rank.
    ///
    /// # Errors
    /// [`Error::Setting`] if the inputs are not what the model takes, [`Error::OnnxFile`] if ONNX
    /// Runtime fails.
    pub fn run(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        Array::expect(inputs, &self.inputs)?;
        self.run_with(inputs, |outputs| {
            let array = |output: ort::value::ValueRef<'_>| {
                let sizes = |shape: &[i64]| {
                    shape.iter().filter_map(|&size| usize::try_from(size).ok()).collect::<Vec<_>>()
                };
                if let Ok((shape, numbers)) = output.try_extract_tensor::<i64>() {
                    return Ok(Array::i64(sizes(shape), numbers.to_vec()));
                }
                let (shape, numbers) =
                    output.try_extract_tensor::<f32>().map_err(|e| self.refused(&e))?;
                Ok(Array::f32(sizes(shape), numbers.to_vec()))
            };
            outputs.values().map(array).collect()
        })
    }

    /// What the model takes.
    pub(super) fn inputs(&self) -> &[Value] {
        &self.inputs
    }

    /// Runs the model and drops its outputs, which may be of any type. Two sizes of one name may
    /// differ, because names of other tools' files may be empty; ONNX Runtime refuses what does not
    /// fit.
    ///
    /// # Errors
    /// [`Error::OnnxFile`] if ONNX Runtime fails.
    pub(super) fn run_only(&self, inputs: &[Array]) -> Result<(), Error> {
        self.run_with(inputs, |_| Ok(()))
    }

    fn refused(&self, error: &ort::Error) -> Error {
        Error::OnnxFile { path: self.path.clone(), reason: one_line(error) }
    }

    fn run_with<T>(
        &self,
        inputs: &[Array],
        take: impl FnOnce(&SessionOutputs<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let refused = |e: ort::Error| self.refused(&e);
        let mut named: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (value, input) in self.inputs.iter().zip(inputs) {
            let shape = input.shape.clone();
            named.push(match &input.numbers {
                Numbers::F32(numbers) => (
                    &value.name,
                    TensorRef::from_array_view((shape, numbers.as_slice()))
                        .map_err(refused)?
                        .into(),
                ),
                Numbers::I64(numbers) => (
                    &value.name,
                    TensorRef::from_array_view((shape, numbers.as_slice()))
                        .map_err(refused)?
                        .into(),
                ),
            });
        }
        let mut session = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        take(&session.run(named).map_err(refused)?)
    }
}

fn load(
    runtime: &Runtime,
    bytes: &[u8],
    optimize: bool,
    threads: usize,
) -> Result<ort::session::Session, ort::Error> {
    let level =
        if optimize { GraphOptimizationLevel::All } else { GraphOptimizationLevel::Disable };
    // Said in full, because ort would fall back silently and its own choice of threads would make
    // the order of sums depend on the machine.
    let session = ort::session::Session::builder(&runtime.environment)?
        .with_execution_providers([ep::CPU::default().build().error_on_failure()])?
        .with_optimization_level(level)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .commit_from_memory(bytes)?;
    Ok(session)
}

fn one_line(error: &ort::Error) -> String {
    format!(
        "ONNX Runtime says: {}",
        error.message().split_whitespace().collect::<Vec<_>>().join(" ")
    )
}
