//! `trainbook ort install`: the pinned library, fetched once for all projects of a user.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt, fs, io};

use serde::Serialize;
use trainbook_core::user_cache::user_cache;

use super::pinned::Pinned;
use crate::Error;
use crate::encode;

/// Has pip fetch the wheel and takes the library out of it.
const FETCH: &str = include_str!("fetch.py");

/// A library that is in the user's cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The library.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// Whether it was fetched now; else it was there, and intact.
    pub fetched: bool,
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.fetched { "installed" } else { "already there, and intact" };
        write!(f, "ONNX Runtime {}, {done}: {}", self.version, self.path.display())
    }
}

/// Puts the ONNX Runtime that everything was tested with into `$XDG_CACHE_HOME/trainbook/`, or
/// `trainbook` in the folder where the user's programs have their caches. `python3` and its pip
/// fetch it. A library that is there and intact is fetched anew only by `force`.
///
/// # Errors
/// [`Error::RuntimeInstall`] if none is known for this platform, without python3, pip, network or
/// the permission to write, or if what comes is not the known library. Then nothing is left behind,
/// and an older library stays.
pub fn install(force: bool) -> Result<Installed, Error> {
    let cache = user_cache(&|name| env::var_os(name)).ok_or_else(|| {
        Error::RuntimeInstall(
            "neither HOME nor XDG_CACHE_HOME is an absolute path; set one of them".to_owned(),
        )
    })?;
    let (os, arch) = (env::consts::OS, env::consts::ARCH);
    let pinned = Pinned::of(os, arch).ok_or_else(|| {
        let oldest = ort::MINOR_VERSION;
        Error::RuntimeInstall(format!(
            "none is known for {os} on {arch}; set ORT_DYLIB_PATH to the path of its library, version 1.{oldest} or newer"
        ))
    })?;
    install_into(&cache, &pinned, Command::new("python3"), force)
}

/// With another library and another Python.
pub fn install_into(
    cache: &Path,
    pinned: &Pinned,
    python: Command,
    force: bool,
) -> Result<Installed, Error> {
    let folder = cache.join(pinned.folder());
    let path = folder.join(&pinned.library);
    let installed =
        |fetched| Installed { path: path.clone(), version: pinned.version.to_owned(), fetched };
    if !force && sha256(&path).is_ok_and(|found| found == pinned.sha256) {
        return Ok(installed(false));
    }
    let not_written = |e: io::Error| {
        let place = folder.display();
        Error::RuntimeInstall(format!(
            "{place} cannot be written ({e}); set XDG_CACHE_HOME to a folder that you may write to"
        ))
    };
    let _folders = NewFolders::make(&folder).map_err(not_written)?;
    let partial =
        tempfile::Builder::new().prefix("partial-").tempdir_in(cache).map_err(not_written)?;
    let fetched = partial.path().join(&pinned.library);
    fetch(pinned, python, &fetched)?;
    // Whatever python3 is here, only the known library gets its name.
    match sha256(&fetched) {
        Ok(found) if found == pinned.sha256 => fs::rename(&fetched, &path).map_err(not_written)?,
        Ok(found) => {
            let right = pinned.sha256;
            return Err(Error::RuntimeInstall(format!(
                "what was fetched is not the known library: its SHA-256 is {found}, but should be {right}"
            )));
        }
        Err(e) => {
            return Err(Error::RuntimeInstall(format!(
                "python3 says that it fetched the library, but it did not ({e})"
            )));
        }
    }
    Ok(installed(true))
}

fn fetch(pinned: &Pinned, mut python: Command, file: &Path) -> Result<(), Error> {
    python.args(["-c", FETCH]).args(pinned.arguments(file)).stdin(Stdio::null());
    // Python takes modules from the working folder, which can hold anything.
    python.current_dir(file.parent().unwrap_or(file));
    let output = python.output().map_err(|e| {
        Error::RuntimeInstall(match e.kind() {
            io::ErrorKind::NotFound => {
                "there is no python3 to fetch it with; install Python 3 with pip".to_owned()
            }
            _ => format!("python3 does not start ({e})"),
        })
    })?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Err(Error::RuntimeInstall(
        line.map_or_else(|| format!("python3 failed ({})", output.status), str::to_owned),
    ))
}

fn sha256(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| encode::sha256(&bytes))
}

/// Folders that go away again if nothing was put into them.
struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    fn make(folder: &Path) -> io::Result<Self> {
        let made = Self(
            folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect(),
        );
        fs::create_dir_all(folder)?;
        Ok(made)
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            let _ = fs::remove_dir(folder);
        }
    }
}
