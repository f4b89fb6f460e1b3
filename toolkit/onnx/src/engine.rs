//! What computes a file beside the trainer: ONNX Runtime, and tract for a second opinion.

use std::path::Path;

use super::array::Array;
use super::runtime::Runtime;
use super::session::Session;
#[cfg(feature = "tract")]
use super::tract;
use crate::Error;

/// Something that runs ONNX files.
#[derive(Clone, Copy)]
pub(super) enum Engine {
    /// ONNX Runtime, with all of its optimisations or none.
    Runtime(&'static Runtime, bool),
    /// tract, a runtime in Rust.
    #[cfg(feature = "tract")]
    Tract,
}

/// A file that an engine has loaded.
pub(super) enum Loaded {
    Session(Session),
    #[cfg(feature = "tract")]
    Tract(tract::Model),
}

impl Engine {
    pub fn name(self) -> String {
        match self {
            Self::Runtime(_, true) => "ONNX Runtime with all optimisations".into(),
            Self::Runtime(_, false) => "ONNX Runtime without optimisation".into(),
            #[cfg(feature = "tract")]
            Self::Tract => tract::NAME.into(),
        }
    }

    /// The share of a margin that this engine may use. tract computes tanh, sigmoid, exp and others
    /// by shorter series than a mathematics library does, which rounding does not explain.
    pub fn patience(self) -> f64 {
        match self {
            Self::Runtime(..) => 1.0,
            #[cfg(feature = "tract")]
            Self::Tract => tract::PATIENCE,
        }
    }

    /// Whether it is asked beside ONNX Runtime, and may decline.
    pub fn is_second(self) -> bool {
        !matches!(self, Self::Runtime(..))
    }

    /// # Errors
    /// [`Error::OnnxFile`] with the engine's reason, which for a second engine may be that it does
    /// not support the graph.
    pub fn load(self, path: &Path, bytes: &[u8]) -> Result<Loaded, Error> {
        match self {
            Self::Runtime(runtime, optimize) => {
                Session::from_bytes(runtime, path, bytes, optimize).map(Loaded::Session)
            }
            #[cfg(feature = "tract")]
            Self::Tract => tract::Model::load(path, bytes).map(Loaded::Tract),
        }
    }
}

impl Loaded {
    /// All outputs.
    pub fn run(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        match self {
            Self::Session(session) => session.run(inputs),
            #[cfg(feature = "tract")]
            Self::Tract(model) => model.run(inputs),
        }
    }
}
