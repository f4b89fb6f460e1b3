//! Who checks a file.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::engine::Engine;
use super::runtime::{self, Runtime, Source};
use crate::Error;

/// What a file is checked in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verifier {
    /// ONNX Runtime, searched as [`find`](runtime::find) says. With the feature `tract`, tract is
    /// asked for a second opinion.
    #[default]
    OnnxRuntime,
    /// The same, with ONNX Runtime's shared library here.
    OnnxRuntimeAt(PathBuf),
    /// tract alone, where there is no ONNX Runtime. A file that was checked so says so, and a graph
    /// that tract does not support is refused.
    #[cfg(feature = "tract")]
    TractOnly,
}

/// What ran a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineUsed {
    /// "ONNX Runtime", or "tract" where that was asked alone.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// Its library; tract has none.
    pub path: Option<PathBuf>,
    /// Where that was found.
    pub source: Option<Source>,
}

impl From<Option<PathBuf>> for Verifier {
    fn from(library: Option<PathBuf>) -> Self {
        library.map_or(Self::OnnxRuntime, Self::OnnxRuntimeAt)
    }
}

impl Verifier {
    /// # Errors
    /// [`Error::Runtime`] without ONNX Runtime.
    pub(super) fn engines(&self) -> Result<(Vec<Engine>, EngineUsed), Error> {
        let library = match self {
            Self::OnnxRuntime => None,
            Self::OnnxRuntimeAt(library) => Some(library.as_path()),
            #[cfg(feature = "tract")]
            Self::TractOnly => {
                let (engine, version) = super::tract::NAME.split_once(' ').unwrap_or_default();
                return Ok((
                    vec![Engine::Tract],
                    EngineUsed {
                        engine: engine.into(),
                        version: version.into(),
                        path: None,
                        source: None,
                    },
                ));
            }
        };
        let runtime = runtime::load(library)?;
        let engines = vec![
            Engine::Runtime(runtime, false),
            Engine::Runtime(runtime, true),
            #[cfg(feature = "tract")]
            Engine::Tract,
        ];
        Ok((engines, runtime.into()))
    }
}

impl From<&Runtime> for EngineUsed {
    fn from(runtime: &Runtime) -> Self {
        let (version, path) = (runtime.version().to_owned(), Some(runtime.path().to_owned()));
        Self { engine: "ONNX Runtime".into(), version, path, source: Some(runtime.source()) }
    }
}

impl fmt::Display for EngineUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.engine, self.version)?;
        match (&self.path, &self.source) {
            (Some(path), Some(source)) => write!(f, " ({}, from {source})", path.display()),
            (Some(path), None) => write!(f, " ({})", path.display()),
            (None, _) => write!(f, " alone, not in ONNX Runtime"),
        }
    }
}
