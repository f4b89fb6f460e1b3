//! ONNX Runtime's shared library: found, fetched, and loaded once per process.

mod find;
mod inputs;
mod install;
mod library;
mod pinned;
mod python;

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;

use crate::Error;

#[cfg(test)]
pub(super) use find::search;
pub use find::{Found, Passed, Source, find};
#[cfg(test)]
pub(super) use inputs::Inputs;
#[cfg(test)]
pub(super) use install::install_into;
pub use install::{Installed, install};
#[cfg(test)]
pub(super) use pinned::Pinned;

/// ONNX Runtime, loaded.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    found: Found,
    version: String,
}

impl Runtime {
    /// The library that was loaded.
    pub fn path(&self) -> &Path {
        &self.found.path
    }

    /// Its version, for example "1.32.0".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it came from.
    pub fn source(&self) -> Source {
        self.found.source
    }

    /// What was looked at before it.
    pub fn passed(&self) -> &[Passed] {
        &self.found.passed
    }
}

/// Loads the library that [`find`] finds. A process has one: the first that was loaded serves all
/// later calls.
///
/// # Errors
/// [`Error::Runtime`] if there is none, if it is not an ONNX Runtime or too old, or if `explicit`
/// names another than the loaded one.
pub fn load(explicit: Option<&Path>) -> Result<&'static Runtime, Error> {
    static LOADED: OnceLock<Runtime> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = LOADED.get() {
        return match explicit {
            Some(_) if find(explicit)?.path != runtime.found.path => Err(Error::Runtime(format!(
                "{} is already loaded, and a process can load only one; leave the path out or start a new process",
                runtime.found.path.display()
            ))),
            _ => Ok(runtime),
        };
    }
    let found = find(explicit)?;
    let (path, source) = (&found.path, found.source);
    // Not ort::Error: that type calls into the library, and there is none after a failed load.
    let builder = ort::init_from(path).map_err(|e| {
        Error::Runtime(format!("{} (from {source}); {}", library::load_reason(&e), source.cure()))
    })?;
    let environment = builder
        .with_name("trainbook")
        .with_telemetry(false)
        .build()
        .map_err(|e| Error::Runtime(format!("{}: {e}", path.display())))?;
    let version = version(ort::info(), path);
    Ok(LOADED.get_or_init(|| Runtime { environment, found, version }))
}

/// From the build information ("… git-branch=rel-1.32.0, …"), else from the file's name.
fn version(information: &str, path: &Path) -> String {
    let branch =
        information.split("git-branch=rel-").nth(1).and_then(|rest| rest.split(',').next());
    match branch {
        Some(version) => version.trim().to_owned(),
        None => library::version_of(path),
    }
}
