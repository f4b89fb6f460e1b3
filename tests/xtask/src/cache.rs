//! The project's cache folder, `.cache` in the repository: everything that xtask installs, and
//! nothing else.

use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::shell;

/// The cache folder. Whatever stands in it under its final name is complete: it was made beside it
/// and renamed.
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the cache of this repository, creating it when it is not there.
    pub fn open() -> Result<Self> {
        Self::at(shell::root().join(".cache"))
    }

    fn at(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The path of an entry, whether it exists or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keeps other xtasks from installing at the same time, until the returned file is dropped.
    pub fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let file =
            File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting for another cargo xtask to finish installing")
            }
            Err(TryLockError::Error(_)) => {}
        }
        file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
        Ok(file)
    }

    /// Makes the folder `name` with `fill`, which gets an empty folder to work in. Only when `fill`
    /// succeeds does the folder get its name; an older one of that name is replaced.
    pub fn make(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let (partial, done) = (self.path(&format!("{name}.partial")), self.path(name));
        remove(&partial)?;
        fs::create_dir(&partial)
            .with_context(|| format!("failed to create {}", partial.display()))?;
        fill(&partial)?;
        remove(&done)?;
        fs::rename(&partial, &done)
            .with_context(|| format!("failed to rename {} to its name", partial.display()))
    }
}

/// Removes a folder that may not be there.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_installation_leaves_nothing_under_the_final_name() {
        let folder = std::env::temp_dir().join(format!("xtask-cache-{}", std::process::id()));
        let cache = Cache::at(folder.clone()).unwrap();
        let failed = cache.make("thing", |partial| {
            fs::write(partial.join("half"), "")?;
            anyhow::bail!("stopped half-way")
        });
        assert!(failed.is_err());
        assert!(!cache.path("thing").exists());

        // The next try starts from an empty folder, not from the half-made one.
        cache.make("thing", |partial| Ok(fs::write(partial.join("whole"), "")?)).unwrap();
        assert!(cache.path("thing/whole").exists());
        assert!(!cache.path("thing/half").exists());

        cache.make("thing", |partial| Ok(fs::write(partial.join("newer"), "")?)).unwrap();
        assert!(cache.path("thing/newer").exists());
        assert!(!cache.path("thing/whole").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
