//! A folder that cargo has filled, copied at the cost of its small files.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::Error;

/// How much a folder holds, or how much of it was copied. Incremental builds do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Files.
    pub files: u64,
    /// Their bytes; a file with two names counts twice.
    pub bytes: u64,
}

/// Copies all of `from` into `to`, which is made. Files keep their times, by which cargo knows that
/// nothing has to be built.
///
/// Libraries of crates whose names have cargo's hash are hard links, or copies where the file
/// system has none: they are replaced by other files, never written into. Whatever else there is may
/// be written into, so it is copied.
///
/// # Errors
/// [`Error::Io`].
pub fn copy(from: &Path, to: &Path) -> Result<Size, Error> {
    let mut copy = Copy { size: Size::default(), copied: HashMap::new() };
    copy.folder(from, to)?;
    Ok(copy.size)
}

/// What a copy of the folder would hold.
///
/// # Errors
/// [`Error::Io`].
pub fn size(folder: &Path) -> Result<Size, Error> {
    let mut size = Size::default();
    for (path, metadata) in entries(folder)? {
        if metadata.is_dir() {
            let below = self::size(&path)?;
            size.files += below.files;
            size.bytes += below.bytes;
        } else {
            size.files += 1;
            size.bytes += metadata.len();
        }
    }
    Ok(size)
}

struct Copy {
    size: Size,
    /// The copies of files that have several names.
    copied: HashMap<u64, PathBuf>,
}

impl Copy {
    fn folder(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        fs::create_dir_all(to).map_err(Error::io("create", to))?;
        for (path, metadata) in entries(from)? {
            let Some(name) = path.file_name() else { continue };
            let copy = to.join(name);
            if metadata.is_dir() {
                self.folder(&path, &copy)?;
                continue;
            }
            self.size.files += 1;
            self.size.bytes += metadata.len();
            self.file(&path, &metadata, &copy).map_err(Error::io("copy", &path))?;
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, metadata: &Metadata, to: &Path) -> io::Result<()> {
        if metadata.is_symlink() {
            return symlink(fs::read_link(from)?, to);
        }
        let link = match is_replaced_whole(from) {
            true => Some(from),
            false => self.copied.get(&metadata.ino()).map(PathBuf::as_path),
        };
        if link.is_some_and(|link| fs::hard_link(link, to).is_ok()) {
            return Ok(());
        }
        fs::copy(from, to)?;
        // A file that may not be written may have its time set only before it is so.
        let file = File::options().write(true).open(to).or_else(|_| File::open(to))?;
        file.set_modified(metadata.modified()?)?;
        if metadata.nlink() > 1 {
            self.copied.insert(metadata.ino(), to.to_owned());
        }
        Ok(())
    }
}

/// The entries of a folder, but for incremental builds, which a build of something else does not
/// read.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        if entry.file_name() != "incremental" {
            let metadata = entry.metadata().map_err(Error::io("look at", &entry.path()))?;
            found.push((entry.path(), metadata));
        }
    }
    Ok(found)
}

/// Whether it is a library as rustc writes it, to a file beside it and renamed, under a name that
/// holds a hash. (Linkers may write into what is there, but those hashed are of other people's
/// crates, which nobody changes.)
fn is_replaced_whole(path: &Path) -> bool {
    let known = ["rlib", "rmeta", "so", "dylib"];
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    known.contains(&extension)
        && stem.rsplit_once('-').is_some_and(|(_, hash)| {
            hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn times_are_kept_and_what_is_written_into_is_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let deps = from.join("target/debug/deps");
        fs::create_dir_all(&deps).unwrap();
        fs::create_dir_all(from.join("target/debug/incremental/x")).unwrap();
        fs::write(from.join("target/debug/incremental/x/dep-graph.bin"), "large").unwrap();
        let hashed = deps.join("libserde-0123456789abcdef.rlib");
        let plain = deps.join("libtrainbook_notebook.so");
        for path in [&hashed, &plain] {
            fs::write(path, "library").unwrap();
        }
        fs::hard_link(&plain, from.join("target/debug/libtrainbook_notebook.so")).unwrap();
        fs::write(from.join("Cargo.lock"), "pins").unwrap();
        symlink("Cargo.lock", from.join("also")).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&plain).unwrap().set_modified(long_ago).unwrap();

        let copied = copy(&from, &to).unwrap();
        assert_eq!(copied, size(&from).unwrap());
        assert_eq!(copied, size(&to).unwrap());
        assert_eq!(copied.files, 5);
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let of = |path: &Path| to.join(path.strip_prefix(&from).unwrap());
        assert_eq!(inode(&hashed), inode(&of(&hashed)));
        assert_ne!(inode(&plain), inode(&of(&plain)));
        assert_eq!(inode(&of(&plain)), inode(&to.join("target/debug/libtrainbook_notebook.so")));
        assert_eq!(fs::metadata(of(&plain)).unwrap().modified().unwrap(), long_ago);
        fs::write(to.join("Cargo.lock"), "others").unwrap();
        assert_eq!(fs::read_to_string(from.join("Cargo.lock")).unwrap(), "pins");
        assert_eq!(fs::read_link(to.join("also")).unwrap(), Path::new("Cargo.lock"));
        assert!(!to.join("target/debug/incremental").exists());
    }
}
