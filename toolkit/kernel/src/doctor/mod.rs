//! `trainbook doctor`: what is wrong with this machine, and what mends it.
//!
//! One file a check, each a function from a [`Machine`] to findings. What this crate does not know
//! (ONNX Runtime, the run store) the caller looks at, through [`Probe`].

mod disk;
mod evcxr;
mod finding;
mod gpu;
mod kernel_spec;
mod leftovers;
mod library;
mod onnx;
mod python;
mod store;
mod toolchain;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub use finding::{Finding, Level, Report};
pub use store::StoreHealth;

use crate::{Error, Folders, Toolchain};

/// The machine that is examined.
pub struct Machine<'a> {
    /// The user's folders.
    pub folders: Folders,
    /// Where the user is.
    pub here: PathBuf,
    /// How the rest is looked at.
    pub probe: &'a dyn Probe,
}

/// What is looked at outside of the kernel's own folders.
pub trait Probe {
    /// ONNX Runtime's version and path; or why there is none that serves, with what mends it.
    ///
    /// # Errors
    /// Why there is none.
    fn onnx_runtime(&self) -> Result<String, String>;

    /// The run store that would be used here.
    fn store(&self) -> StoreHealth;

    /// The toolchain in this folder.
    ///
    /// # Errors
    /// As [`Toolchain::of`].
    fn toolchain(&self, folder: &Path) -> Result<Toolchain, Error> {
        Toolchain::of(folder)
    }

    /// The bytes that this user can still write on the disk of this folder.
    ///
    /// # Errors
    /// The system does not tell.
    fn room(&self, folder: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// An environment variable.
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    /// Where a shared library of the system is, if the folders that loaders search have it.
    fn shared_library(&self, name: &str) -> Option<PathBuf> {
        gpu::search(name, self.variable("LD_LIBRARY_PATH"))
    }

    /// A file's text, if it can be read.
    fn text(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    /// The versions of these Python packages in the first `python3`, in order; `None` for one that
    /// is not there.
    ///
    /// # Errors
    /// There is no python3, or it fails.
    fn python_packages(&self, names: &[&str]) -> Result<Vec<Option<String>>, String> {
        python::ask(names)
    }
}

/// Makes every check there is. None of them changes anything.
pub fn examine(machine: &Machine<'_>) -> Report {
    let checks: [fn(&Machine<'_>) -> Vec<Finding>; 10] = [
        kernel_spec::check,
        evcxr::check,
        toolchain::check,
        library::check,
        leftovers::check,
        disk::check,
        onnx::check,
        store::check,
        gpu::check,
        python::check,
    ];
    Report { findings: checks.into_iter().flat_map(|check| check(machine)).collect() }
}

#[cfg(test)]
mod tests;
