//! What a search for ONNX Runtime's library is given.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// All that the search depends on, besides files.
pub struct Inputs<'a> {
    /// The path that the caller gave.
    pub explicit: Option<&'a Path>,
    /// The environment.
    pub variables: &'a dyn Fn(&str) -> Option<OsString>,
    /// Folders and programs above which the project's cache may be.
    pub starts: &'a [PathBuf],
    /// Where this `python3` has the package, if it has it.
    pub python: &'a dyn Fn(&Path) -> Result<Option<PathBuf>, String>,
    /// Has the system's loader load its library, and says where that is.
    pub system: &'a dyn Fn() -> Result<PathBuf, String>,
}

impl Inputs<'_> {
    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }
}
