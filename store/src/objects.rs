//! Content-addressed files: checkpoints, exported networks.
//!
//! `objects/<aa>/<hash>`, where `hash` is the blake3 of the bytes and `aa` its first two digits. An
//! object appears under its name whole or not at all: it is written to a temporary file in the same
//! folder, synced, renamed, and the folder synced.
//!
//! The file's time of modification is when the object was put last, which tells the collection of
//! garbage (see `cleanup/garbage.rs`) what a run may be about to refer to. Whoever puts holds
//! `<store>/objects.lock` together with others for the instants in which a file gets its name or a
//! new time; whoever deletes holds it alone.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::{Result, StoreError};
use crate::lock::LockFile;
use crate::object_id::ObjectId;

/// How long to wait for the lock on objects.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// How much of an object is in memory while it is copied, in bytes.
const PIECE: usize = 1 << 20;

/// What became of an object that was to be copied from another folder.
#[derive(Debug)]
pub(crate) enum Copied {
    /// It was here, whole.
    WasHere,
    /// It is here now; so many bytes.
    Now(u64),
    /// The other folder has none.
    Missing,
    /// The other folder's cannot be had.
    Unusable(String),
}

/// The folder of objects.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: PathBuf,
    lock_file: PathBuf,
}

impl Objects {
    pub(crate) fn new(store: &Path) -> Objects {
        Objects { folder: store.join("objects"), lock_file: store.join("objects.lock") }
    }

    /// Stores the bytes unless they are there. On return they are on disk, and for the next minute
    /// no collection of garbage takes them; nor as long as a run is being written that was before.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        let path = self.path(&id);
        // An object that was damaged since it was written is written anew.
        if self.renew(&path)? && self.get(&id).is_ok() {
            return Ok(id);
        }
        self.make_folder_of(&path)?;
        self.give_name(temporary(&path, bytes)?, &path)?;
        Ok(id)
    }

    /// Copies an object that another folder has, piece by piece and checked on the way: what has
    /// another hash than its name never gets that name here. On return it is on disk, and young as
    /// after [`put`](Objects::put). Nothing is written to the other folder, and no lock is taken
    /// there: an object never changes.
    ///
    /// The error is of this folder alone.
    pub(crate) fn copy(&self, id: &ObjectId, from: &Objects) -> Result<Copied> {
        let path = self.path(id);
        let is_whole = || File::open(&path).and_then(|mut file| hash(&mut file));
        if self.renew(&path)? && is_whole().is_ok_and(|found| found == *id) {
            return Ok(Copied::WasHere);
        }
        let mut source = match open_file(&from.path(id)) {
            Ok(source) => source,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Copied::Missing),
            Err(error) => return Ok(Copied::Unusable(error.to_string())),
        };
        self.make_folder_of(&path)?;
        let mut file = new_temporary(&path)?;
        let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE]);
        let mut bytes = 0;
        loop {
            let length = match source.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Copied::Unusable(error.to_string())),
            };
            hasher.update(&piece[..length]);
            file.write_all(&piece[..length]).map_err(StoreError::io("write", &path))?;
            bytes += length as u64;
        }
        let found = ObjectId::new(hasher.finalize());
        if found != *id {
            let why = format!("it was changed after it was written (its hash is now {found})");
            return Ok(Copied::Unusable(why));
        }
        file.as_file().sync_all().map_err(StoreError::io("sync", &path))?;
        self.give_name(file, &path)?;
        Ok(Copied::Now(bytes))
    }

    /// Whether there is an object of this name, whatever is in it.
    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        self.path(id).is_file()
    }

    /// Makes an object young, as putting it would. `false` if there is none, or none that this user
    /// may touch.
    pub(crate) fn keep(&self, id: &ObjectId) -> Result<bool> {
        self.renew(&self.path(id))
    }

    fn make_folder_of(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        sync_folder(&self.folder)
    }

    fn give_name(&self, file: NamedTempFile, path: &Path) -> Result<()> {
        let lock = self.lock_shared()?;
        // It was written at about this time, so where a file system refuses to be told, little is
        // lost.
        let _ = file.as_file().set_modified(SystemTime::now());
        persist(file, path)?;
        drop(lock);
        sync_folder(path.parent().unwrap_or(&self.folder))
    }

    /// Sets the object's time to now. `false` if there is none, or none that this user may touch.
    fn renew(&self, path: &Path) -> Result<bool> {
        if !path.exists() {
            return Ok(false);
        }
        let _lock = self.lock_shared()?;
        let renewed = OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Ok(renewed.is_ok())
    }

    fn lock_shared(&self) -> Result<LockFile> {
        LockFile::shared(&self.lock_file, PATIENCE).map_err(|error| self.locked(error.to_string()))
    }

    /// Keeps everyone from putting objects, for as long as the value lives.
    pub(crate) fn lock_exclusive(&self) -> Result<LockFile> {
        LockFile::exclusive(&self.lock_file, PATIENCE)
            .map_err(|error| self.locked(error.to_string()))
    }

    fn locked(&self, why: String) -> StoreError {
        StoreError::ObjectsLocked { path: self.lock_file.clone(), why }
    }

    /// The folder of the objects' folders.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bytes, proved to be those that were stored.
    pub(crate) fn get(&self, id: &ObjectId) -> Result<Vec<u8>> {
        let path = self.path(id);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::UnknownObject { id: *id });
            }
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let found = ObjectId::of(&bytes);
        if found == *id {
            Ok(bytes)
        } else {
            Err(StoreError::DamagedObject { id: *id, found, path })
        }
    }

    fn path(&self, id: &ObjectId) -> PathBuf {
        let name = id.to_string();
        self.folder.join(name.get(..2).unwrap_or_default()).join(name)
    }
}

/// Writes a file that is whole or absent, also after a power cut. Replaces what is there.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    persist(temporary(path, bytes)?, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// As [`write_atomically`], if there is no file of that name. Whether there was none.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    match temporary(path, bytes)?.persist_noclobber(path) {
        Ok(_) => sync_folder(path.parent().unwrap_or(Path::new("."))).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("rename a file to", path)(error.error)),
    }
}

/// Opens a file, and nothing that only looks like one: a pipe would have the reader wait for ever.
pub(crate) fn open_file(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(std::io::Error::other("it is no file"))
    }
}

fn hash(file: &mut File) -> std::io::Result<ObjectId> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(file, &mut hasher)?;
    Ok(ObjectId::new(hasher.finalize()))
}

/// What the names of temporary files begin with.
pub(crate) const TEMPORARY: &str = ".tmp";

/// The bytes on disk in a file beside `path`, which goes away if it does not get that name.
fn temporary(path: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let mut file = new_temporary(path)?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.as_file().sync_all().map_err(StoreError::io("sync", path))?;
    Ok(file)
}

/// An empty file beside `path`, which goes away if it does not get that name.
fn new_temporary(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        // Temporary files are private; these become files of a store that others may be meant to
        // read. The umask applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(StoreError::io("write to", folder))
}

fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.persist(path)
        .map(drop)
        .map_err(|error| StoreError::io("rename a file to", path)(error.error))
}

/// Makes new names in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Windows cannot open a folder as a file, and syncs names by itself.
    if cfg!(unix) {
        std::fs::File::open(folder)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::io("sync", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> (tempfile::TempDir, Objects) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        let objects = Objects::new(folder.path());
        (folder, objects)
    }

    #[test]
    fn what_was_put_comes_back_under_its_hash() {
        let (_folder, objects) = objects();
        for bytes in [&b""[..], b"abc", &[7; 100_000]] {
            let id = objects.put(bytes).unwrap();
            assert_eq!(objects.put(bytes).unwrap(), id, "twice is once");
            assert_eq!(objects.get(&id).unwrap(), bytes);
            assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
        }
        // The published test vector of blake3 for the empty input.
        assert!(ObjectId::of(b"").to_string().starts_with("af1349b9f5f9a1a6a0404dea36dcc949"));
    }

    #[test]
    fn a_changed_object_is_an_error_and_can_be_put_again() {
        let (_folder, objects) = objects();
        let id = objects.put(b"weights").unwrap();
        std::fs::write(objects.path(&id), b"weighty").unwrap();
        assert!(matches!(objects.get(&id), Err(StoreError::DamagedObject { .. })));
        objects.put(b"weights").unwrap();
        assert_eq!(objects.get(&id).unwrap(), b"weights");
        assert!(matches!(
            objects.get(&ObjectId::of(b"other")),
            Err(StoreError::UnknownObject { .. })
        ));
    }

    #[test]
    fn putting_again_makes_an_object_young_and_does_not_write_it() {
        let (_folder, objects) = objects();
        let path = objects.path(&objects.put(b"weights").unwrap());
        let old = SystemTime::now() - Duration::from_secs(9000);
        let modified = || path.metadata().unwrap().modified().unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_eq!(modified(), old);
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
        objects.put(b"weights").unwrap();
        assert!(modified() > old + Duration::from_secs(8000));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap()), file);
    }

    #[test]
    fn whoever_deletes_keeps_others_from_putting() {
        let (_folder, objects) = objects();
        let lock = objects.lock_exclusive().unwrap();
        let error = objects.put(b"weights").unwrap_err();
        assert!(
            error.to_string().contains(&format!("process {} holds it", std::process::id())),
            "{error}"
        );
        drop(lock);
        objects.put(b"weights").unwrap();
    }
}
