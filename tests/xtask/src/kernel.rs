//! The Jupyter kernel for Rust, built into the cache and announced there, not in the user's own
//! folders.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cache::Cache;
use crate::shell;
use crate::tool::Tool;

const EVCXR: Tool =
    Tool { name: "evcxr_jupyter", version: "0.22.0", options: &[], minutes: "6 to 10" };

/// Builds the kernel unless it is there, and writes its kernelspec (which holds an absolute path: a
/// moved repository gets a new one).
pub fn install(cache: &Cache) -> Result<()> {
    rust_sources()?;
    EVCXR.install(cache)?;
    let program = EVCXR.program(cache);
    let spec = cache.path("jupyter/kernels/rust/kernel.json");
    if fs::read_to_string(&spec).is_ok_and(|text| names(&text, &program)) {
        return Ok(());
    }
    cache.make("jupyter", |partial| {
        shell::output(shell::command(&program).arg("--install").env("JUPYTER_PATH", partial))
            .map(drop)
    })
}

/// Lets the command see this kernel, and keeps what Jupyter writes in the cache.
pub fn show(cache: &Cache, command: &mut Command) {
    command.env("JUPYTER_PATH", cache.path("jupyter"));
    for (variable, folder) in [("DATA", "data"), ("CONFIG", "config"), ("RUNTIME", "runtime")] {
        command.env(format!("JUPYTER_{variable}_DIR"), cache.path("jupyter-user").join(folder));
    }
}

/// The kernel reads the standard library's sources; rustup installs them as a component.
fn rust_sources() -> Result<()> {
    let sysroot = shell::output(shell::command("rustc").args(["--print", "sysroot"]))?;
    let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    if sources.exists() {
        return Ok(());
    }
    shell::run(shell::command("rustup").args(["component", "add", "rust-src"])).with_context(
        || {
            format!(
                "the notebook kernel needs Rust's sources in {}; `rustup component add rust-src`",
                sources.display()
            )
        },
    )?;
    if !sources.exists() {
        bail!("the component rust-src is installed, but {} is not there", sources.display());
    }
    Ok(())
}

fn names(spec: &str, program: &Path) -> bool {
    let spec: serde_json::Value = serde_json::from_str(spec).unwrap_or_default();
    spec["argv"][0].as_str().is_some_and(|argument| Path::new(argument) == program)
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

    #[test]
    fn a_kernelspec_of_another_place_or_a_torn_one_is_written_anew() {
        let spec = r#"{"argv": ["/a/evcxr_jupyter", "--control_file", "{connection_file}"]}"#;
        assert!(names(spec, Path::new("/a/evcxr_jupyter")));
        assert!(!names(spec, Path::new("/b/evcxr_jupyter")));
        assert!(!names(&spec[..20], Path::new("/a/evcxr_jupyter")));
    }
}
