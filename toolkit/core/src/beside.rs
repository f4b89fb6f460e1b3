//! Files and folders that get their name when they are whole.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::{fs, io};

use tempfile::NamedTempFile;

/// The folder that a path lies in; never empty, as a bare file name is in the current folder.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in the folder of `path`, which must exist. It goes away when it is dropped, unless it
/// was given that name.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".trainbook-").suffix(".tmp");
    // As any new file, where tempfile would keep it from everybody else.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// Writes a file that is there as a whole, and on the disk, or not at all.
///
/// # Errors
/// The system does not allow it; whatever had the name is as before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Gives a folder this name. One that has it goes aside first, and away when the other is in its
/// place.
///
/// # Errors
/// The system does not allow it; whatever had the name has it still.
pub fn take_name(folder: &Path, path: &Path) -> io::Result<()> {
    if !path.exists() {
        return fs::rename(folder, path);
    }
    let mut aside = OsString::from(folder);
    aside.push(".old");
    fs::rename(path, &aside)?;
    if let Err(error) = fs::rename(folder, path) {
        fs::rename(&aside, path)?;
        return Err(error);
    }
    fs::remove_dir_all(&aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_the_place_of_another_or_leaves_it() {
        let root = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| root.path().join(name));
        fs::create_dir(&old).unwrap();
        assert!(take_name(&new, &old).is_err());
        assert!(old.is_dir(), "what had the name has it still");
        fs::create_dir(&new).unwrap();
        write_whole(&new.join("file"), b"new").unwrap();
        take_name(&new, &old).unwrap();
        assert_eq!(fs::read(old.join("file")).unwrap(), b"new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("a.csv")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/b.csv")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/b.csv")), Path::new("/"));
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_they_may_read_of_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        let beside = temporary_beside(&plain).unwrap();
        assert_eq!(mode(beside.path()), mode(&plain));
        assert_eq!(beside.path().parent(), Some(folder.path()));
    }
}
