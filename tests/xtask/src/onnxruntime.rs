//! ONNX Runtime's shared library, out of the pinned Python wheel.

use anyhow::{Context, Result, bail};
use std::env::consts::{ARCH, OS};
use std::path::PathBuf;
use std::process::Command;

use crate::cache::Cache;
use crate::{python, shell};

// The toolkit's own file: what is pinned is stated once. A dependency would take minutes to build.
#[path = "../../../toolkit/onnx/src/runtime/pinned.rs"]
mod pinned;

use pinned::{Pinned, VERSION};

/// The variable that names the library to whoever loads it.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// Whether nothing is left to install: the library is in the cache, or the user names another one
/// in `ORT_DYLIB_PATH`.
pub fn installed(cache: &Cache) -> bool {
    named_by_user() || library(cache).is_some_and(|library| library.exists())
}

/// Puts the library into the cache unless it is installed.
pub fn install(cache: &Cache) -> Result<()> {
    if installed(cache) {
        return Ok(());
    }
    let Some(pinned) = Pinned::of(OS, ARCH) else {
        bail!(
            "no ONNX Runtime is known for {OS} on {ARCH}: set {VARIABLE} to the path of its library, version {VERSION}"
        );
    };
    eprintln!("fetching ONNX Runtime {VERSION}, once");
    cache.make(&pinned.folder(), |partial| {
        let mut fetch = python::system()?;
        fetch.arg(shell::root().join("toolkit/onnx/src/runtime/fetch.py"));
        fetch.args(pinned.arguments(&partial.join(&pinned.library)));
        shell::output(&mut fetch).map(|_| ()).with_context(|| {
            format!("failed to fetch ONNX Runtime {VERSION} (or set {VARIABLE} to the path of its shared library)")
        })
    })
}

/// Tells the command where the library is, unless the user did.
pub fn show(cache: &Cache, command: &mut Command) {
    // Else it keeps files under the user's home, whatever its host asks of it.
    command.env("ORT_DISABLE_TELEMETRY", "1");
    if let Some(library) = library(cache).filter(|_| !named_by_user()) {
        command.env(VARIABLE, library);
    }
}

fn named_by_user() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|path| !path.is_empty())
}

fn library(cache: &Cache) -> Option<PathBuf> {
    let pinned = Pinned::of(OS, ARCH)?;
    Some(cache.path(&pinned.folder()).join(pinned.library))
}
