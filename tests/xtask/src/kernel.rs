//! The Jupyter kernel "Rust (trainbook)", built into the cache and announced there, not in the user's
//! own folders.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::shell;
use crate::tool::Tool;

const EVCXR: Tool = Tool {
    name: "evcxr_jupyter",
    version: "0.22.0",
    options: &[],
    optimization: "1",
    minutes: "4 to 7",
};

/// The launcher alone: the whole command would take as long to build as the library that it
/// launches.
const LAUNCHER: &str = "trainbook_kernel";

/// Builds evcxr unless it is there, and has the launcher compile the notebook library ahead and write
/// the kernelspec, each unless nothing has changed.
pub fn install(cache: &Cache) -> Result<()> {
    EVCXR.install(cache)?;
    let launcher = launcher(cache)?;
    let mut install = shell::command(launcher);
    show(cache, &mut install);
    install.args(["kernel", "install", "--sources"]).arg(shell::root());
    install.arg("--evcxr").arg(EVCXR.program(cache));
    // What to type next is another thing here than it is for others.
    let status = install.stdout(Stdio::null()).status().context("failed to start the launcher")?;
    ensure!(status.success(), "the launcher failed ({status})");
    Ok(())
}

/// The launcher, under a name that `cargo clean` leaves alone.
fn launcher(cache: &Cache) -> Result<PathBuf> {
    let options = ["build", "--release", "--quiet", "--package", "trainbook-kernel", "--example"];
    shell::run(shell::cargo().args(options).arg(LAUNCHER))?;
    let file = format!("{LAUNCHER}{}", std::env::consts::EXE_SUFFIX);
    let built = shell::target_folder()?.join("release/examples").join(&file);
    let read = |path: &PathBuf| {
        fs::read(path).with_context(|| format!("failed to read {}", path.display()))
    };
    let program = read(&built)?;
    let kept = cache.path(LAUNCHER).join(&file);
    if !kept.exists() || read(&kept)? != program {
        // Another file: the old one may be running.
        cache.make(LAUNCHER, |partial| {
            let copy = partial.join(&file);
            fs::copy(&built, &copy)
                .map(drop)
                .with_context(|| format!("failed to write {}", copy.display()))
        })?;
    }
    Ok(kept)
}

/// Where the launcher keeps the folders of living kernels.
pub fn living(cache: &Cache) -> PathBuf {
    cache.path("user/trainbook/kernels")
}

/// Jupyter's folder of data, which has the kernel's spec.
pub fn data(cache: &Cache) -> PathBuf {
    cache.path("jupyter-user/data")
}

/// Lets the command see this kernel, and keeps what Jupyter writes in the cache.
pub fn show(cache: &Cache, command: &mut Command) {
    command.env("JUPYTER_PATH", cache.path("jupyter"));
    // What is compiled ahead.
    command.env("XDG_CACHE_HOME", cache.path("user"));
    command.env("JUPYTER_DATA_DIR", data(cache));
    for (variable, folder) in [("CONFIG", "config"), ("RUNTIME", "runtime")] {
        command.env(format!("JUPYTER_{variable}_DIR"), cache.path("jupyter-user").join(folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_get_the_kernel_that_is_tested() {
        let launcher = include_str!("../../../toolkit/kernel/src/evcxr.rs");
        let constant = |name: &str, value: &str| format!("pub const {name}: &str = {value:?};");
        assert!(launcher.contains(&constant("PROGRAM", EVCXR.name)));
        assert!(launcher.contains(&constant("VERSION", EVCXR.version)));
    }
}
