//! Finds ONNX Runtime's shared library and loads it, once per process.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;

use crate::Error;

/// The environment variable that names the library, the same as ort's own.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// What the system's loader is asked for.
const SYSTEM: &str = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
const CURE: &str = "run `cargo xtask setup`, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so";

/// ONNX Runtime, loaded.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    path: PathBuf,
    version: String,
}

impl Runtime {
    /// The library that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, for example "1.32.0".
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The library that [`load`] would load, without loading it: `explicit`, else `ORT_DYLIB_PATH`, else
/// `.cache/onnxruntime-*/libonnxruntime.so*` (the highest version) in a folder above the working folder or the program, else what the
/// system's loader finds (which only loading it can tell).
///
/// # Errors
/// [`Error::Runtime`] if there is none, or if the one that was named does not exist; a named one is never replaced by another.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, Error> {
    let starts = [env::current_dir(), env::current_exe()].into_iter().flatten().collect::<Vec<_>>();
    match search(explicit, env::var_os(VARIABLE), &starts)? {
        Some(path) => Ok(path),
        None => match ort::init_from(SYSTEM) {
            Ok(_) => Ok(SYSTEM.into()),
            Err(e) => {
                let above: Vec<_> = starts.iter().map(|start| start.display().to_string()).collect();
                Err(Error::Runtime(format!(
                    "{VARIABLE} is not set, there is no .cache/onnxruntime-*/libonnxruntime.so* above {}, and the system has none ({}); {CURE}",
                    above.join(" or "),
                    load_reason(&e)
                )))
            }
        },
    }
}

/// The files that can be found without loading anything.
pub(super) fn search(
    explicit: Option<&Path>,
    variable: Option<OsString>,
    starts: &[PathBuf],
) -> Result<Option<PathBuf>, Error> {
    let named = match (explicit, variable) {
        (Some(path), _) => Some((path.to_owned(), "")),
        (None, Some(value)) if !value.is_empty() => Some((value.into(), "ORT_DYLIB_PATH=")),
        _ => None,
    };
    if let Some((path, from)) = named {
        // Absolute, because ort would look beside the program first.
        return match path.canonicalize() {
            Ok(absolute) if absolute.is_file() => Ok(Some(absolute)),
            Ok(_) => Err(Error::Runtime(format!("{from}{} is not a file; {CURE}", path.display()))),
            Err(e) => Err(Error::Runtime(format!("{from}{}: {e}; {CURE}", path.display()))),
        };
    }
    Ok(starts.iter().flat_map(|start| start.ancestors()).find_map(cached))
}

/// The newest library in a folder's `.cache`.
fn cached(folder: &Path) -> Option<PathBuf> {
    let entries = |folder: &Path| folder.read_dir().into_iter().flatten().flatten();
    let has_prefix = |entry: &std::fs::DirEntry, prefix| entry.file_name().to_string_lossy().starts_with(prefix);
    entries(&folder.join(".cache"))
        .filter(|entry| has_prefix(entry, "onnxruntime-"))
        .flat_map(|entry| entries(&entry.path()))
        .filter(|entry| has_prefix(entry, "libonnxruntime.so") || has_prefix(entry, "libonnxruntime.dylib"))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .max_by_key(|path| (numbers(path.parent().unwrap_or(path)), numbers(path), path.clone()))
}

/// The numbers in a file's name: "onnxruntime-1.32.0" gives [1, 32, 0].
fn numbers(path: &Path) -> Vec<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// Loads the library that [`find`] finds. A process has one: the first that was loaded serves all later calls.
///
/// # Errors
/// [`Error::Runtime`] if there is none, if it is not an ONNX Runtime or too old, or if `explicit` names another than the loaded one.
pub fn load(explicit: Option<&Path>) -> Result<&'static Runtime, Error> {
    static LOADED: OnceLock<Runtime> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = LOADED.get() {
        return match explicit {
            Some(_) if find(explicit)? != runtime.path => Err(Error::Runtime(format!(
                "{} is already loaded, and a process can load only one; leave the path out or start a new process",
                runtime.path.display()
            ))),
            _ => Ok(runtime),
        };
    }
    let path = find(explicit)?;
    // Not ort::Error: that type calls into the library, and there is none after a failed load.
    let builder = ort::init_from(&path).map_err(|e| Error::Runtime(format!("{}; {CURE}", load_reason(&e))))?;
    let environment = builder
        .with_name("trainbook")
        .with_telemetry(false)
        .build()
        .map_err(|e| Error::Runtime(format!("{}: {e}", path.display())))?;
    let version = version(ort::info(), &path);
    Ok(LOADED.get_or_init(|| Runtime { environment, path, version }))
}

/// In one line.
fn load_reason(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, path } => {
            let system = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
            if system.contains(&*path.to_string_lossy()) { system } else { format!("{}: {system}", path.display()) }
        }
        ort::LoadDynamicError::MissingApi { path } => format!("{} is not an ONNX Runtime", path.display()),
        ort::LoadDynamicError::BadVersion { version_str, path } => {
            let oldest = ort::MINOR_VERSION;
            format!("{} is ONNX Runtime {version_str}; at least 1.{oldest} is needed", path.display())
        }
        ort::LoadDynamicError::InvalidVersionString => "the library states no readable version".to_owned(),
    }
}

/// From the build information ("… git-branch=rel-1.32.0, …"), else from the file's name.
fn version(information: &str, path: &Path) -> String {
    let branch = information.split("git-branch=rel-").nth(1).and_then(|rest| rest.split(',').next());
    match branch {
        Some(version) => version.trim().to_owned(),
        None => numbers(path).iter().map(ToString::to_string).collect::<Vec<_>>().join("."),
    }
}
