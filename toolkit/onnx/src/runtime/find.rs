//! Where ONNX Runtime's library is looked for, and in which order.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trainbook_core::user_cache::user_cache;

use super::inputs::Inputs;
use super::{library, python};
use crate::Error;

/// The environment variable that names the library, the same as ort's own.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// What the system's loader is asked for.
const SYSTEM: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
/// What to do when there is no library.
const CURE: &str = if cfg!(feature = "tract") {
    "run `trainbook ort install`, set ORT_DYLIB_PATH=/path/to/libonnxruntime.so, or check in tract alone (`--tract-only`, `Verifier::TractOnly`)"
} else {
    "run `trainbook ort install`, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so"
};
/// What to do about a library that was named.
const CURE_NAMED: &str = "name a right one, or none and run `trainbook ort install`";

/// Where a library can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// A path that the caller gave.
    Explicit,
    /// A path in `ORT_DYLIB_PATH`.
    Variable,
    /// `.cache/onnxruntime-*/` above the working folder or the program.
    ProjectCache,
    /// The folder that [`install`](super::install()) fills.
    UserCache,
    /// An installed Python package `onnxruntime`.
    Python,
    /// The system's loader.
    System,
}

impl Source {
    /// All, in the order in which they are looked at.
    pub const ALL: [Self; 6] = [
        Self::Explicit,
        Self::Variable,
        Self::ProjectCache,
        Self::UserCache,
        Self::Python,
        Self::System,
    ];

    /// What to do when its library does not load.
    pub(super) fn cure(self) -> &'static str {
        if matches!(self, Self::Explicit | Self::Variable) { CURE_NAMED } else { CURE }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "the path given",
            Self::Variable => VARIABLE,
            Self::ProjectCache => "the project's cache",
            Self::UserCache => "the user's cache",
            Self::Python => "Python's onnxruntime",
            Self::System => "the system",
        })
    }
}

/// A library that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Absolute and without links; only a name where the system's loader found it and cannot say
    /// where.
    pub path: PathBuf,
    /// Where it came from.
    pub source: Source,
    /// What was looked at before it.
    pub passed: Vec<Passed>,
}

/// A place that gave no library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// The place.
    pub source: Source,
    /// Why it gave none, for example "not set".
    pub reason: String,
}

/// The library that [`load`](super::load) would load: `explicit`; `ORT_DYLIB_PATH`;
/// `.cache/onnxruntime-*/` in a folder above the working folder or the program; the folder of
/// [`install`](super::install()); the Python package `onnxruntime` of the active environment or the
/// first `python3`; what the system's loader finds, which only loading it can tell. A library of a
/// version too old is passed over, but one that was named is never replaced by another.
///
/// # Errors
/// [`Error::Runtime`] if there is none, with what every place had, or if the one that was named
/// does not exist.
pub fn find(explicit: Option<&Path>) -> Result<Found, Error> {
    let starts: Vec<_> = [env::current_dir(), env::current_exe()].into_iter().flatten().collect();
    let variables = |name: &str| env::var_os(name);
    search(&Inputs {
        explicit,
        variables: &variables,
        starts: &starts,
        python: &python::ask,
        system: &system,
    })
}

/// Looks in one place, and says why there is nothing.
type Look = fn(&Inputs<'_>) -> Result<PathBuf, String>;

/// Nothing but a function of its inputs and of files.
pub fn search(inputs: &Inputs<'_>) -> Result<Found, Error> {
    let mut passed = Vec::new();
    let named = [
        (Source::Explicit, inputs.explicit.map(Path::to_owned), "none"),
        (Source::Variable, inputs.variable(VARIABLE).map(PathBuf::from), "not set"),
    ];
    for (source, path, none) in named {
        match path {
            Some(path) => return Ok(Found { path: existing(&path, source)?, source, passed }),
            None => passed.push(Passed { source, reason: none.into() }),
        }
    }
    let places: [(Source, Look); 4] = [
        (Source::ProjectCache, in_project_cache),
        (Source::UserCache, in_user_cache),
        (Source::Python, python::look),
        (Source::System, |inputs| (inputs.system)()),
    ];
    for (source, look) in places {
        match look(inputs) {
            Ok(path) => return Ok(Found { path, source, passed }),
            Err(reason) => passed.push(Passed { source, reason }),
        }
    }
    // Who gave no path need not be told so.
    let reasons: Vec<_> = passed
        .iter()
        .skip(1)
        .map(|Passed { source, reason }| format!("{source}: {reason}"))
        .collect();
    Err(Error::Runtime(format!("there is none that serves ({}); {CURE}", reasons.join("; "))))
}

fn existing(path: &Path, source: Source) -> Result<PathBuf, Error> {
    let from = if source == Source::Variable { "ORT_DYLIB_PATH=" } else { "" };
    // Absolute, because ort would look beside the program first.
    match path.canonicalize() {
        Ok(absolute) if absolute.is_file() => Ok(absolute),
        Ok(_) => {
            Err(Error::Runtime(format!("{from}{} is not a file; {CURE_NAMED}", path.display())))
        }
        Err(e) => Err(Error::Runtime(format!("{from}{}: {e}; {CURE_NAMED}", path.display()))),
    }
}

fn in_project_cache(inputs: &Inputs<'_>) -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    let folders = inputs.starts.iter().flat_map(|start| start.ancestors());
    let found = folders
        .map(|folder| folder.join(".cache"))
        .find_map(|cache| library::newest(library::in_cache(&cache), &mut refused));
    found.ok_or_else(|| match refused.as_slice() {
        [] => {
            let above: Vec<_> =
                inputs.starts.iter().map(|start| start.display().to_string()).collect();
            format!("no .cache/onnxruntime-*/{} above {}", library::PATTERN, above.join(" or "))
        }
        refused => refused.join(", "),
    })
}

fn in_user_cache(inputs: &Inputs<'_>) -> Result<PathBuf, String> {
    let Some(cache) = user_cache(inputs.variables) else {
        return Err("neither HOME nor XDG_CACHE_HOME is an absolute path".to_owned());
    };
    let mut refused = Vec::new();
    library::newest(library::in_cache(&cache), &mut refused).ok_or_else(|| {
        match refused.as_slice() {
            [] => format!("no {}/onnxruntime-*/{}", cache.display(), library::PATTERN),
            refused => refused.join(", "),
        }
    })
}

fn system() -> Result<PathBuf, String> {
    match ort::init_from(SYSTEM) {
        Ok(_) => Ok(mapped().unwrap_or_else(|| SYSTEM.into())),
        Err(e) => Err(library::load_reason(&e)),
    }
}

/// The file that the loader took, where the system tells.
fn mapped() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    paths
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SYSTEM))
        })
        .map(Path::to_owned)
}
