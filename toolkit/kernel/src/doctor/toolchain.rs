//! The compiler of cells, and the standard library's sources.

use super::{Finding, Machine};
use crate::SeedState;

const CHECK: &str = "toolchain";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    // Kernels use the one that the library was compiled with, wherever the notebook is.
    let (folder, compiled_by) = match SeedState::look(&machine.folders, false) {
        SeedState::Ready(seed) | SeedState::Stale(seed, _) if seed.manifest.sources.is_dir() => {
            (seed.manifest.sources, Some(seed.manifest.rustc))
        }
        _ => (machine.here.clone(), None),
    };
    let toolchain = match machine.probe.toolchain(&folder) {
        Ok(toolchain) => toolchain,
        Err(error) => {
            let fix = "install Rust with rustup, https://rustup.rs";
            return Finding::broken(CHECK, format!("failed to {error}"), fix);
        }
    };
    let sources = toolchain.sources();
    if !sources.is_dir() {
        let found = format!(
            "{} lacks the sources of Rust's standard library, which evcxr reads ({})",
            toolchain.short(),
            sources.display()
        );
        return Finding::broken(CHECK, found, toolchain.sources_fix());
    }
    if compiled_by.is_some_and(|rustc| rustc != toolchain.version) {
        let found = format!(
            "{} is another compiler than the one that the notebook library was compiled with, so \
             that each kernel compiles it again",
            toolchain.short()
        );
        return Finding::broken(CHECK, found, "trainbook kernel install");
    }
    Finding::ok(CHECK, format!("{}, with Rust's sources", toolchain.short()))
}
