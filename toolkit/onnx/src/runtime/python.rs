//! The library inside an installed Python package `onnxruntime`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::inputs::Inputs;
use super::library;

/// Prints the package's folder without importing it. Modules in the working folder are none of
/// Python's.
const LOCATE: &str = "\
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import importlib.util
spec = importlib.util.find_spec('onnxruntime')
print(*list(spec.submodule_search_locations or [])[:1] if spec else [])
";

/// Looks in the active environment, then in that of the first `python3` on the path. Python is
/// started only if neither has the package where packages usually are.
pub fn look(inputs: &Inputs<'_>) -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    let python = first_python(inputs);
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(|name| inputs.variable(name).map(PathBuf::from));
    let prefixes = active.chain(python.as_deref().into_iter().flat_map(prefixes));
    let found = prefixes
        .flat_map(|prefix| packages(&prefix))
        .find_map(|package| in_package(&package, &mut refused));
    if let Some(path) = found {
        return Ok(path);
    }
    let nothing = match python {
        None => "no python3 on PATH".to_owned(),
        Some(python) => match (inputs.python)(&python)? {
            None => format!("{} has none", python.display()),
            Some(package) => match in_package(&package, &mut refused) {
                Some(path) => return Ok(path),
                None => format!("no {} in {}/capi", library::PATTERN, package.display()),
            },
        },
    };
    Err(if refused.is_empty() { nothing } else { refused.join(", ") })
}

/// Starts Python to ask where the package is.
pub fn ask(python: &Path) -> Result<Option<PathBuf>, String> {
    let mut command = Command::new(python);
    command.args(["-c", LOCATE]).stdin(Stdio::null()).stderr(Stdio::null());
    let output =
        command.output().map_err(|e| format!("{} does not start ({e})", python.display()))?;
    if !output.status.success() {
        return Err(format!("{} does not say what it has ({})", python.display(), output.status));
    }
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((!folder.is_empty()).then(|| folder.into()))
}

fn first_python(inputs: &Inputs<'_>) -> Option<PathBuf> {
    let path = inputs.variable("PATH")?;
    // What a relative folder means changes with the working folder.
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join("python3")).find(|python| python.is_file())
}

/// Two folders above the program, as it was called (a virtual environment's is a link) and as it
/// really is.
fn prefixes(python: &Path) -> Vec<PathBuf> {
    let real = python.canonicalize().ok();
    let two_above = |path: &Path| path.ancestors().nth(2).map(Path::to_owned);
    [Some(python), real.as_deref()].into_iter().flatten().filter_map(two_above).collect()
}

/// Where the package is, or would be.
fn packages(prefix: &Path) -> Vec<PathBuf> {
    let libraries = ["lib", "lib64"].map(|name| prefix.join(name));
    let versions =
        libraries.iter().flat_map(|folder| library::entries(folder)).map(|entry| entry.path());
    let versions = versions.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
    });
    versions
        .flat_map(|path| {
            ["site-packages", "dist-packages"].map(|name| path.join(name).join("onnxruntime"))
        })
        .collect()
}

fn in_package(package: &Path, refused: &mut Vec<String>) -> Option<PathBuf> {
    library::newest(library::in_folder(&package.join("capi")), refused)
}
