//! Files that get their name when they are whole.

use std::io;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;

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
