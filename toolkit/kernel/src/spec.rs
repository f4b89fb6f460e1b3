//! What Jupyter is told of kernels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::evcxr::VARIABLE;
use crate::seed::write_whole;
use crate::{Error, Folders};

/// The folder of the spec, and the name that `jupyter --kernel` takes.
pub const NAME: &str = "trainbook";

/// What users see.
pub const DISPLAY_NAME: &str = "Rust (trainbook)";

/// The argument that Jupyter replaces by the path of the connection file.
pub(crate) const CONNECTION_FILE: &str = "{connection_file}";

/// The parts of a `kernel.json` that matter here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The program, and its arguments.
    pub argv: Vec<String>,
    /// What users see.
    pub display_name: String,
    /// Jupyter matches notebooks with kernels by it.
    pub language: String,
    /// `signal`: an interrupt is SIGINT to the kernel's process group; `message`: it is one on the
    /// control channel.
    #[serde(default = "by_signal")]
    pub interrupt_mode: String,
    /// Environment variables that Jupyter gives the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

fn by_signal() -> String {
    "signal".to_owned()
}

/// A kernel that Jupyter knows from the user's own folder.
#[derive(Clone, Debug)]
pub struct Known {
    /// The name that `jupyter --kernel` takes.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it says, or what is wrong with it.
    pub spec: Result<Spec, String>,
}

impl Spec {
    /// The spec whose kernels are run by `program kernel run`, with this evcxr if one is named.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a path is no text.
    pub fn of(program: &Path, evcxr: Option<&Path>) -> Result<Self, Error> {
        let text = |path: &Path| {
            let reason = || "Jupyter needs a path that is text in UTF-8".to_owned();
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| Error::Unreadable { path: path.to_owned(), reason: reason() })
        };
        let named = evcxr.map(|evcxr| Ok((VARIABLE.to_owned(), text(evcxr)?)));
        Ok(Self {
            env: named.into_iter().collect::<Result<_, Error>>()?,
            argv: [&text(program)?, "kernel", "run", CONNECTION_FILE].map(str::to_owned).to_vec(),
            display_name: DISPLAY_NAME.to_owned(),
            language: "rust".to_owned(),
            interrupt_mode: by_signal(),
        })
    }

    /// Writes it where Jupyter looks, as a whole or not at all. Returns the path.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn install(&self, folders: &Folders) -> Result<PathBuf, Error> {
        let path = path(folders);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Unreadable { path: path.clone(), reason: error.to_string() })?;
        write_whole(&path, format!("{text}\n").as_bytes())?;
        Ok(path)
    }
}

/// Where our spec is, if it is installed.
pub fn path(folders: &Folders) -> PathBuf {
    folders.specs().join(NAME).join("kernel.json")
}

/// All kernels in the user's own folder, by name. There are none if it does not exist.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn list(folders: &Folders) -> Result<Vec<Known>, Error> {
    let specs = folders.specs();
    let entries = match fs::read_dir(&specs) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read", &specs))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &specs))?;
        let path = entry.path().join("kernel.json");
        if path.exists() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(Known { name, spec: read(&path), path });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Reads a `kernel.json`.
///
/// # Errors
/// What is wrong with it, for a message.
pub fn read(path: &Path) -> Result<Spec, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// Removes our spec. Returns whether there was one.
///
/// # Errors
/// [`Error::Io`].
pub fn remove(folders: &Folders) -> Result<bool, Error> {
    let folder = folders.specs().join(NAME);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).map_err(Error::io("remove", &folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_installed_listed_replaced_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::new(root.path().join("cache"), root.path().join("jupyter"));
        assert!(list(&folders).unwrap().is_empty());
        assert!(!remove(&folders).unwrap());
        let spec = Spec::of(Path::new("/usr/bin/trainbook"), None).unwrap();
        let path = spec.install(&folders).unwrap();
        assert_eq!(spec.argv[1..], ["kernel", "run", "{connection_file}"]);
        assert_eq!(read(&path), Ok(spec));

        let other = folders.specs().join("other");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("kernel.json"), "{\"argv\": [").unwrap();
        let moved = Spec::of(Path::new("/opt/trainbook"), None).unwrap();
        moved.install(&folders).unwrap();
        let known = list(&folders).unwrap();
        assert_eq!(
            known.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(),
            ["other", NAME]
        );
        assert!(known[0].spec.is_err());
        assert_eq!(known[1].spec, Ok(moved));
        // Nothing half-written is left beside it.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        assert!(remove(&folders).unwrap());
        assert_eq!(list(&folders).unwrap().len(), 1);
    }
}
