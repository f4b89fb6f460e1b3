//! The folder of a living kernel.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Folders, StopFile};

/// A kernel's own folder, which goes when this is dropped.
#[derive(Debug)]
pub struct Working {
    folder: PathBuf,
    lock: PathBuf,
    /// Held, so that nobody takes the folder for a leftover.
    _held: File,
}

impl Working {
    /// Makes one, after those of killed kernels are removed.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made. What cannot be removed stays.
    pub fn create(folders: &Folders) -> Result<Self, Error> {
        let kernels = folders.kernels();
        fs::create_dir_all(&kernels).map_err(Error::io("create", &kernels))?;
        // Nobody sweeps between the creation of a lock file and its locking.
        let _alone = alone(&kernels)?;
        for id in dead(&kernels)? {
            let _ = remove(&kernels, &id);
        }
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("{}-{:x}", std::process::id(), moment.as_nanos());
        let lock = kernels.join(format!("{id}.lock"));
        let held = File::create_new(&lock).map_err(Error::io("create", &lock))?;
        held.try_lock().map_err(io::Error::from).map_err(Error::io("lock", &lock))?;
        let made = Self { folder: kernels.join(id), lock, _held: held };
        for folder in [made.folder.clone(), made.config()] {
            fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
        }
        Ok(made)
    }

    /// All that the kernel has. Its lock is beside it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// evcxr's folder, which is not made yet.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The folder of evcxr.toml.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    /// By which fits are asked to stop.
    pub fn stop_file(&self) -> StopFile {
        StopFile::new(self.folder.join("stop"))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // A process of a cell may still write here; the next kernel's sweep gets the rest.
        if fs::remove_dir_all(&self.folder).is_ok() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// What killed kernels left behind, by their names, and how many kernels live.
///
/// # Errors
/// [`Error::Io`].
pub fn census(folders: &Folders) -> Result<(Vec<String>, usize), Error> {
    let kernels = folders.kernels();
    if !kernels.exists() {
        return Ok((Vec::new(), 0));
    }
    let _alone = alone(&kernels)?;
    let dead = dead(&kernels)?;
    let living = ids(&kernels)?.len().saturating_sub(dead.len()); // one may go meanwhile
    Ok((dead, living))
}

fn alone(kernels: &Path) -> Result<File, Error> {
    let path = kernels.join("lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    file.lock().map_err(Error::io("lock", &path))?;
    Ok(file)
}

/// The names of folders and locks, each once.
fn ids(kernels: &Path) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(kernels).map_err(Error::io("read", kernels))? {
        let name = entry.map_err(Error::io("read", kernels))?.file_name();
        let Some(name) = name.to_str().filter(|name| *name != "lock") else { continue };
        ids.push(name.strip_suffix(".lock").unwrap_or(name).to_owned());
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Those whose lock nobody holds.
fn dead(kernels: &Path) -> Result<Vec<String>, Error> {
    let mut ids = ids(kernels)?;
    ids.retain(|id| match File::open(kernels.join(format!("{id}.lock"))) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    });
    Ok(ids)
}

fn remove(kernels: &Path, id: &str) -> Result<(), Error> {
    let (folder, lock) = (kernels.join(id), kernels.join(format!("{id}.lock")));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::Io { action: "remove", path: folder, source: error });
        }
        _ => {}
    }
    match fs::remove_file(&lock) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: lock, source: error })
        }
        _ => Ok(()),
    }
}

/// The lock of a folder that kernels share because their evcxr.toml says so; given back when it is
/// dropped.
///
/// # Errors
/// [`Error::Shared`] if another of our kernels has it.
pub fn claim_shared(file: &Path, shared: &Path) -> Result<File, Error> {
    fs::create_dir_all(shared).map_err(Error::io("create", shared))?;
    let path = shared.join(".trainbook-kernel.lock");
    let lock = File::create(&path).map_err(Error::io("create", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Shared { file: file.to_owned(), shared: shared.to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_the_living_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::new(folder.path().join("cache"), folder.path().join("jupyter"));
        assert_eq!(census(&folders).unwrap(), (vec![], 0));
        let living = Working::create(&folders).unwrap();
        fs::write(living.folder.join("file"), "").unwrap();

        // One whose launcher was killed, one that lost its lock file, one that lost its folder.
        let kernels = folders.kernels();
        fs::create_dir_all(kernels.join("1-a/work")).unwrap();
        fs::write(kernels.join("1-a.lock"), "").unwrap();
        fs::create_dir_all(kernels.join("2-b")).unwrap();
        fs::write(kernels.join("3-c.lock"), "").unwrap();
        let (dead, alive) = census(&folders).unwrap();
        assert_eq!(
            (dead.as_slice(), alive),
            (["1-a", "2-b", "3-c"].map(String::from).as_slice(), 1)
        );

        let second = Working::create(&folders).unwrap();
        assert_eq!(census(&folders).unwrap(), (vec![], 2));
        assert!(living.folder.join("file").exists());
        let path = living.folder.clone();
        drop(living);
        assert!(!path.exists());
        drop(second);
        assert_eq!(census(&folders).unwrap(), (vec![], 0));
    }

    #[test]
    fn a_shared_folder_is_one_kernels_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join(".evcxr");
        let held = claim_shared(Path::new("evcxr.toml"), &shared).unwrap();
        let error = claim_shared(Path::new("evcxr.toml"), &shared).unwrap_err();
        assert!(error.to_string().contains("delete its line `tmpdir`"), "{error}");
        drop(held);
        claim_shared(Path::new("evcxr.toml"), &shared).unwrap();
    }
}
