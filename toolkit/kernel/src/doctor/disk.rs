//! Whether there is room.

use std::path::Path;

use super::{Finding, Machine};
use crate::SeedState;

const CHECK: &str = "disk";

/// The library, compiled: what `kernel install` writes, rounded up.
const LIBRARY: u64 = 2 << 30;
/// evcxr while it is built.
const EVCXR: u64 = 2 << 30;
/// A kernel of its own links to the library, and its cells.
const KERNEL: u64 = 500 << 20;

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    let cache = machine.folders.cache();
    // Of the nearest folder that exists.
    let folder = cache.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let room = match machine.probe.room(folder) {
        Ok(room) => room,
        Err(error) => {
            let found = format!("failed to ask for the room in {}: {error}", folder.display());
            return Finding::note(CHECK, found, format!("df -h '{}'", folder.display()));
        }
    };
    let installed = matches!(SeedState::look(&machine.folders, false), SeedState::Ready(_));
    let needed = if installed { KERNEL } else { LIBRARY + EVCXR };
    let found = format!("{} free for {}", size(room), cache.display());
    if room >= needed {
        return Finding::ok(CHECK, found);
    }
    let what = if installed { "a kernel" } else { "`trainbook kernel install`" };
    Finding::broken(
        CHECK,
        format!("{found}; {what} needs {}", size(needed)),
        "free some, or set XDG_CACHE_HOME to a folder on a larger disk",
    )
}

/// Such as `1.5 GB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
