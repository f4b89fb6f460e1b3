//! Files that may be ONNX Runtime's shared library, and which of them serves.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

/// How this system's libraries are called, as a person would look for them.
pub const PATTERN: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.*dylib" } else { "libonnxruntime.so*" };

/// The newest of the files, if it is new enough. `refused` gets what was found and does not serve.
///
/// A path without links, because a process's one runtime is recognised by it.
pub fn newest(files: Vec<PathBuf>, refused: &mut Vec<String>) -> Option<PathBuf> {
    let oldest = [1, u64::from(ort::MINOR_VERSION)];
    let path = files.into_iter().max_by_key(|path| (version_in_name(path), path.clone()))?;
    let version = version_in_name(&path);
    let refusal = if !version.is_empty() && version.as_slice() < oldest.as_slice() {
        format!(
            "{} is version {}; at least {} is needed",
            path.display(),
            dotted(&version),
            dotted(&oldest)
        )
    } else {
        match path.canonicalize() {
            Ok(path) => return Some(path),
            Err(e) => format!("{}: {e}", path.display()),
        }
    };
    if !refused.contains(&refusal) {
        refused.push(refusal);
    }
    None
}

/// The libraries of all `onnxruntime-*` folders in a folder.
pub fn in_cache(folder: &Path) -> Vec<PathBuf> {
    let versions = entries(folder).filter(|entry| name(&entry.path()).starts_with("onnxruntime-"));
    versions.flat_map(|entry| in_folder(&entry.path())).collect()
}

/// The libraries in a folder.
pub fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let paths = entries(folder).map(|entry| entry.path());
    paths.filter(|path| is_library(&name(path)) && path.is_file()).collect()
}

/// What is in a folder; nothing where it cannot be read.
pub fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    folder.read_dir().into_iter().flatten().flatten()
}

/// The version in a file's name, for example "1.32.0"; empty if there is none.
pub fn version_of(path: &Path) -> String {
    dotted(&version_in_name(path))
}

/// Why a library does not load, in one line.
pub fn load_reason(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, path } => {
            let system = std::error::Error::source(error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            if system.contains(&*path.to_string_lossy()) {
                system
            } else {
                format!("{}: {system}", path.display())
            }
        }
        ort::LoadDynamicError::MissingApi { path } => {
            format!("{} is not an ONNX Runtime", path.display())
        }
        ort::LoadDynamicError::BadVersion { version_str, path } => {
            let oldest = ort::MINOR_VERSION;
            format!(
                "{} is ONNX Runtime {version_str}; at least 1.{oldest} is needed",
                path.display()
            )
        }
        ort::LoadDynamicError::InvalidVersionString => {
            "the library states no readable version".to_owned()
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_library(name: &str) -> bool {
    let ending = name.strip_prefix("libonnxruntime.");
    ending.is_some_and(|ending| {
        if cfg!(target_os = "macos") { ending.ends_with("dylib") } else { ending.starts_with("so") }
    })
}

/// "libonnxruntime.so.1.32.0" gives [1, 32, 0]. Where the name says less than major and minor, the
/// name of the file that it links to does, or the folder's.
fn version_in_name(path: &Path) -> Vec<u64> {
    let linked = path.canonicalize().ok();
    let folder = path.parent().filter(|folder| name(folder).starts_with("onnxruntime-"));
    let places = [Some(path), linked.as_deref(), folder];
    places.into_iter().flatten().map(numbers).find(|version| version.len() > 1).unwrap_or_default()
}

fn numbers(path: &Path) -> Vec<u64> {
    name(path)
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn dotted(version: &[u64]) -> String {
    version.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}
