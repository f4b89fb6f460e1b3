//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate; each finishes the sentence "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// Such as "read".
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The environment names no place for a folder.
    #[error("find a folder for {what}: neither HOME nor {variable} is an absolute path")]
    NoFolder {
        /// What would be in it.
        what: &'static str,
        /// The variable that names it.
        variable: &'static str,
    },
    /// A program could not be started, or failed.
    #[error("run {program}: {reason}")]
    Program {
        /// Its name or path.
        program: String,
        /// What it said, or what the system says.
        reason: String,
    },
    /// The toolkit's sources are not where they were looked for.
    #[error(
        "find the notebook library: no toolkit/notebook/Cargo.toml in or above {}; name the folder of trainbook's sources with --sources DIR",
        looked.display()
    )]
    NoLibrary {
        /// Where was looked.
        looked: PathBuf,
    },
    /// A file that is not what it should be.
    #[error("read {}: {reason}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The notebook library could not be compiled ahead.
    #[error("compile the notebook library ahead: {0}")]
    Compile(String),
    /// Two kernels would work in one folder.
    #[error(
        "start a second kernel here: {} makes all kernels of its folder share {}, where they would overwrite each other; delete its line `tmpdir`",
        file.display(),
        shared.display()
    )]
    Shared {
        /// The notebook folder's evcxr.toml.
        file: PathBuf,
        /// The folder that it names.
        shared: PathBuf,
    },
}

impl Error {
    /// For `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
