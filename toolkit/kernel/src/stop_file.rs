//! The stop file, from the side of those who ask. The protocol is told in the crate's
//! documentation; the trainer's side is in `trainbook`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;

/// The environment variable that names it.
pub const STOP_FILE: &str = "TRAINBOOK_STOP_FILE";

/// A file by which the fits of one process can be asked to stop.
#[derive(Clone, Debug)]
pub struct StopFile(PathBuf);

impl StopFile {
    /// The one at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Asks the fits that run to stop behind their step. Returns whether any runs; if none does,
    /// nothing is asked. Where the file system knows no locks, one is taken to run.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or written.
    pub fn ask(&self) -> Result<bool, Error> {
        let mut options = OpenOptions::new();
        let file = match options.append(true).open(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(Error::io("open", &self.0))?,
        };
        if is_free(&file) {
            return Ok(false);
        }
        (&file).write_all(b"stop\n").map_err(Error::io("write", &self.0))?;
        Ok(true)
    }
}

fn is_free(file: &File) -> bool {
    match file.try_lock() {
        Ok(()) => {
            // The file is closed in a moment, which gives the lock back too.
            let _ = file.unlock();
            true
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fit_that_runs_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let stop = StopFile::new(folder.path().join("stop"));
        assert!(!stop.ask().unwrap());

        let fit = File::create(stop.path()).unwrap();
        assert!(!stop.ask().unwrap());
        assert_eq!(fit.metadata().unwrap().len(), 0);

        fit.lock_shared().unwrap();
        assert!(stop.ask().unwrap());
        assert_eq!(std::fs::read_to_string(stop.path()).unwrap(), "stop\n");

        // The lock is the trainer's all the time.
        assert!(matches!(
            File::open(stop.path()).unwrap().try_lock(),
            Err(TryLockError::WouldBlock)
        ));
        drop(fit);
        assert!(!stop.ask().unwrap());
    }
}
