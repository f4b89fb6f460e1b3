//! Where a user keeps what all projects share.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of all projects of a user, whether it exists or not: `$XDG_CACHE_HOME/trainbook`, by
/// default `~/.cache/trainbook`, or `~/Library/Caches/trainbook` on macOS. `None` where the variables
/// name no absolute path.
pub fn user_cache(variables: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(usual)));
    Some(caches?.join("trainbook"))
}
