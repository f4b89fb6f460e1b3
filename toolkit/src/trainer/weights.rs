//! Weights in files that other programs read and write.

use std::fmt;
use std::path::Path;

use trainbook_callbacks::{Snapshot, TensorInfo};

use super::checkpoint::Origin;
use super::{Run, Trainer};
use crate::Error;
use crate::data::DataError;
use crate::task::Model;
use crate::tensor_file::{Reader, Writer};

/// What [`Trainer::load_weights`] found in a file: not all of it may have fitted.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightsReport {
    /// The network's tensors that were loaded.
    pub loaded: Vec<String>,
    /// Those that the file does not have; they are as they were.
    pub missing: Vec<String>,
    /// Those that the file has in another shape or kind of number, with both; they are as they were.
    pub misfits: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unexpected: Vec<String>,
}

/// The names that trainbook's checkpoints have beside weights.
const OWN: &str = "trainbook/";

impl Run {
    /// Writes all weights into a [safetensors](https://huggingface.co/docs/safetensors) file, in f32
    /// under their layers' names (`0.weight`), as Python's `safetensors` reads them. The file is
    /// written beside and then moved, so that it is whole or not there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(self.model(), path.as_ref())
    }
}

impl Trainer {
    /// Takes weights from a [safetensors](https://huggingface.co/docs/safetensors) file by their
    /// names, for example of PyTorch's `state_dict` (a `Linear` has its weights as [outputs, inputs]
    /// here and there) or of a [checkpoint](Self::checkpoint). Whatever does not fit stays as it is,
    /// and the report says so; moments and counters are as they were.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or has no tensor that fits. Nothing is loaded then.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<WeightsReport, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let refuse = |reason: String| Error::State(format!("{}: {reason}", path.display()));
        let file = Reader::new(&bytes)
            .map_err(|reason| refuse(format!("it is no whole safetensors file: {reason}")))?;
        let mut state = self.task.state()?;
        let tensors = self.task.model().tensors();
        let report = fill(&file, tensors, &mut state.weights);
        if report.loaded.is_empty() {
            return Err(refuse(format!("no tensor of it fits this network\n{report}")));
        }
        self.task.load_state(&state)?;
        self.origin = Some(Origin::UNKNOWN);
        Ok(report)
    }
}

fn fill(file: &Reader<'_>, tensors: &[TensorInfo], weights: &mut Snapshot) -> WeightsReport {
    let mut report = WeightsReport::default();
    for (TensorInfo { name, shape }, values) in tensors.iter().zip(&mut weights.0) {
        let Some(kind) = file.kind(name) else {
            report.missing.push(name.clone());
            continue;
        };
        match file.floats(name) {
            Some((theirs, read)) if theirs == *shape => {
                *values = read;
                report.loaded.push(name.clone());
            }
            theirs => {
                let theirs = theirs.map_or(kind, |(theirs, _)| format!("{theirs:?}"));
                report.misfits.push(format!("{name} is {theirs} there and {shape:?} here"));
            }
        }
    }
    let known = |name: &&str| name.starts_with(OWN) || tensors.iter().any(|t| t.name == **name);
    let unexpected = file.names().into_iter().filter(|name| !known(name));
    report.unexpected = unexpected.map(str::to_owned).collect();
    report
}

fn save(model: &dyn Model, path: &Path) -> Result<(), Error> {
    let refused = |source| Error::Write { path: path.to_owned(), source };
    let weights = model.weights();
    let mut file = Writer::default();
    for (TensorInfo { name, shape }, values) in model.tensors().iter().zip(&weights.0) {
        file.floats(name.clone(), shape.clone(), values);
    }
    // As PyTorch's own files say, which some readers ask for.
    file.finish_to(path, "format", "pt").map_err(refused)
}

impl fmt::Display for WeightsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.loaded.len() + self.missing.len() + self.misfits.len();
        write!(f, "{} of {all} tensors loaded", self.loaded.len())?;
        for (what, names) in [
            ("not in the file", &self.missing),
            ("of another shape", &self.misfits),
            ("in the file alone", &self.unexpected),
        ] {
            if !names.is_empty() {
                write!(f, "\n  {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

trainbook_core::shown_as_text!(WeightsReport);
