//! What evcxr is told before the first cell.

use std::ffi::OsString;
use std::path::Path;

use crate::seed::Seed;
use crate::toml::{string, text};
use crate::working::Working;
use crate::{Error, STOP_FILE};

/// How cells and the library are compiled. In the environment, not in the prelude, so that it also
/// holds where a folder has an evcxr.toml of its own.
const BUILD: [(&str, &str); 4] = [
    // The notebook loads the toolkit as a dynamic library and must find it at run time.
    ("CARGO_PROFILE_DEV_RPATH", "true"),
    // Cells do arithmetic, and a debug build of that is many times slower.
    ("CARGO_PROFILE_DEV_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false"),
    ("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false"),
];

/// What would make cargo compile otherwise than when the library was compiled ahead.
pub const REMOVED: [&str; 9] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_DEV_DEBUG",
    "CARGO_PROFILE_DEV_INCREMENTAL",
    "CARGO_PROFILE_DEV_STRIP",
    "RUSTC",
    // evcxr sets it for what it compiles; see `facade`.
    "RUSTFLAGS",
];

/// evcxr's environment, beside what it inherits. With a seed, whose toolchain is named, it does not matter
/// in which folder the notebook is.
pub fn environment(
    seed: Option<&Seed>,
    work: &Path,
    config: &Path,
) -> Vec<(&'static str, OsString)> {
    let mut all: Vec<_> = BUILD.iter().map(|(name, value)| (*name, value.into())).collect();
    all.push(("EVCXR_TMPDIR", work.into()));
    all.push(("EVCXR_CONFIG_DIR", config.into()));
    if let Some(seed) = seed {
        let toolchain = seed.manifest.toolchain.as_ref();
        all.extend(toolchain.map(|name| ("RUSTUP_TOOLCHAIN", name.into())));
        all.extend(seed.facade().environment());
    }
    all
}

/// The same for a kernel, whose fits can be asked to stop.
pub fn kernel_environment(seed: Option<&Seed>, kernel: &Working) -> Vec<(&'static str, OsString)> {
    let mut all = environment(seed, &kernel.work(), &kernel.config());
    all.push((STOP_FILE, kernel.stop_file().path().into()));
    all
}

/// The evcxr.toml of a kernel that begins with this seed: the library is a dependency before the
/// first cell, in the versions of its lock file.
///
/// evcxr empties the lock file when it starts, before it reads this.
///
/// # Errors
/// [`Error::Unreadable`] if a path is no text.
pub fn with_library(seed: &Seed, work: &Path, after: &str) -> Result<String, Error> {
    let lock = quoted(text(&seed.lock_file())?);
    let copy = quoted(text(&work.join("Cargo.lock"))?);
    Ok(file(&format!("!cp {lock} {copy}\n:dep {}\n{after}\n", seed.dependency()?)))
}

/// The evcxr.toml of a kernel for which nothing is compiled ahead.
pub fn plain() -> String {
    file("")
}

fn file(prelude: &str) -> String {
    format!("[evcxr]\nprelude = {}\n", string(prelude))
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_quotes_survive_the_shell() {
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(file("!cp 'a'\n"), "[evcxr]\nprelude = \"!cp 'a'\\n\"\n");
    }

    #[test]
    fn the_environment_decides_how_is_compiled_and_where() {
        let all = environment(None, Path::new("/k/work"), Path::new("/k/config"));
        for (name, value) in [
            ("CARGO_PROFILE_DEV_OPT_LEVEL", "3"),
            ("EVCXR_TMPDIR", "/k/work"),
            ("EVCXR_CONFIG_DIR", "/k/config"),
        ] {
            assert!(all.iter().any(|(key, found)| *key == name && found == value), "{name}");
        }
        assert!(REMOVED.iter().all(|removed| all.iter().all(|(name, _)| name != removed)));
    }
}
