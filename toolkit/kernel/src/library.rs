//! The sources of what notebooks load.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::Error;

/// The crate, and its folder in the toolkit's sources.
pub const NAME: &str = "trainbook-notebook";
const FOLDER: &str = "toolkit/notebook";

/// What `use` calls the crate.
pub fn lib_name() -> String {
    NAME.replace('-', "_")
}

/// The crate's folder in the toolkit's.
pub fn folder(root: &Path) -> PathBuf {
    root.join(FOLDER)
}

/// The notebook library's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    root: PathBuf,
}

impl Library {
    /// Looks in this folder and those above it.
    ///
    /// # Errors
    /// [`Error::NoLibrary`].
    pub fn find(start: &Path) -> Result<Self, Error> {
        let looked = fs::canonicalize(start).unwrap_or_else(|_| start.to_owned());
        let is_root = |folder: &&Path| {
            let manifest = fs::read_to_string(folder.join(FOLDER).join("Cargo.toml"));
            manifest.is_ok_and(|text| text.contains(&format!("name = \"{NAME}\"")))
        };
        match looked.ancestors().find(is_root) {
            Some(root) => Ok(Self { root: root.to_owned() }),
            None => Err(Error::NoLibrary { looked }),
        }
    }

    /// The toolkit's folder, with Cargo.lock.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// When a file was last changed that decides what the library is.
    ///
    /// # Errors
    /// [`Error::Io`] if the sources cannot be read.
    pub fn changed(&self) -> Result<SystemTime, Error> {
        let mut newest = SystemTime::UNIX_EPOCH;
        changed(&self.root, false, &mut newest)?;
        Ok(newest)
    }
}

/// Sources, manifests, build scripts and the lock file; nothing that tests and examples are made
/// of.
fn changed(folder: &Path, inside_src: bool, newest: &mut SystemTime) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let metadata = entry.metadata().map_err(Error::io("look at", &path))?;
        if metadata.is_dir() {
            let other =
                ["target", "tests", "benches", "examples", "notebooks", "book", "cli", "kernel"];
            let hidden = name.as_encoded_bytes().starts_with(b".");
            let passed = !inside_src && other.iter().any(|other| name == OsStr::new(other));
            if !hidden && !passed {
                changed(&path, inside_src || name == "src", newest)?;
            }
        } else if inside_src
            || ["Cargo.toml", "Cargo.lock", "build.rs"].iter().any(|decisive| name == *decisive)
        {
            *newest = (*newest).max(metadata.modified().map_err(Error::io("look at", &path))?);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    /// Sources in which everything was changed at the same moment, an hour ago.
    pub fn planted(root: &Path) -> (Library, SystemTime) {
        let then = SystemTime::now() - Duration::from_secs(3600);
        for name in [
            "Cargo.lock",
            "store/src/lib.rs",
            "toolkit/notebook/Cargo.toml",
            "toolkit/notebook/src/lib.rs",
            "toolkit/cli/src/main.rs",
            "tests/src/lib.rs",
            "target/debug/build/x/src/y.rs",
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "name = \"trainbook-notebook\"\n").unwrap();
            touch(&path, then);
        }
        (Library::find(&root.join("toolkit/cli")).unwrap(), then)
    }

    pub fn touch(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_change_is_seen_where_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let (library, then) = planted(&root);
        assert_eq!(library.root(), root);
        assert_eq!(library.changed().unwrap(), then);
        let now = SystemTime::now();
        for other in
            ["toolkit/cli/src/main.rs", "tests/src/lib.rs", "target/debug/build/x/src/y.rs"]
        {
            touch(&root.join(other), now);
        }
        assert_eq!(library.changed().unwrap(), then);
        touch(&root.join("store/src/lib.rs"), now);
        assert_eq!(library.changed().unwrap(), now);
    }

    #[test]
    fn without_sources_the_error_says_how_to_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let error = Library::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--sources DIR"), "{error}");
    }
}
