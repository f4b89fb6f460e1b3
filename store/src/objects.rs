//! Content-addressed files: checkpoints, exported networks.
//!
//! `objects/<aa>/<hash>`, where `hash` is the blake3 of the bytes and `aa` its first two digits. An object appears under its
//! name whole or not at all: it is written to a temporary file in the same folder, synced, renamed, and the folder synced.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};

/// The blake3 hash of an object's bytes; as text, 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(blake3::Hash);

impl ObjectId {
    /// The id that these bytes have.
    pub fn of(bytes: &[u8]) -> ObjectId {
        ObjectId(blake3::hash(bytes))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl FromStr for ObjectId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<ObjectId> {
        blake3::Hash::from_hex(text).map(ObjectId).map_err(|_| StoreError::BadObjectId { text: text.to_owned() })
    }
}

impl TryFrom<String> for ObjectId {
    type Error = StoreError;

    fn try_from(text: String) -> Result<ObjectId> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> String {
        id.to_string()
    }
}

/// The folder of objects.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: PathBuf,
}

impl Objects {
    pub(crate) fn new(folder: PathBuf) -> Objects {
        Objects { folder }
    }

    /// Stores the bytes unless they are there. On return they are on disk.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<ObjectId> {
        let id = ObjectId::of(bytes);
        // An object that was damaged since it was written is written anew.
        if self.get(&id).is_ok() {
            return Ok(id);
        }
        let path = self.path(&id);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        sync_folder(&self.folder)?;
        write_atomically(&path, bytes)?;
        Ok(id)
    }

    /// The bytes, proved to be those that were stored.
    pub(crate) fn get(&self, id: &ObjectId) -> Result<Vec<u8>> {
        let path = self.path(id);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(StoreError::UnknownObject { id: *id }),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let found = ObjectId::of(&bytes);
        if found == *id { Ok(bytes) } else { Err(StoreError::DamagedObject { id: *id, found, path }) }
    }

    fn path(&self, id: &ObjectId) -> PathBuf {
        let name = id.to_string();
        self.folder.join(name.get(..2).unwrap_or_default()).join(name)
    }
}

/// Writes a file that is whole or absent, also after a power cut. Replaces what is there.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Temporary files are private; these become files of a store that others may be meant to read. The umask applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(StoreError::io("write to", folder))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.as_file().sync_all().map_err(StoreError::io("sync", path))?;
    file.persist(path).map_err(|error| StoreError::io("rename a file to", path)(error.error))?;
    sync_folder(folder)
}

/// Makes new names in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Windows cannot open a folder as a file, and syncs names by itself.
    if cfg!(unix) {
        std::fs::File::open(folder).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> (tempfile::TempDir, Objects) {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::new(folder.path().to_owned());
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
        assert!(matches!(objects.get(&ObjectId::of(b"other")), Err(StoreError::UnknownObject { .. })));
    }
}
