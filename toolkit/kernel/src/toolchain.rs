//! The Rust toolchain that compiles cells.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// A toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// What rustup calls it; `None` where rustup is not what has installed it.
    pub name: Option<String>,
    /// All that `rustc --version --verbose` says.
    pub version: String,
    /// Where it is.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// The one that is used in this folder, which may have a `rust-toolchain.toml`.
    ///
    /// # Errors
    /// [`Error::Program`] if there is no rustc, or it fails.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let name = output(folder, "rustup", &["show", "active-toolchain"])
            .ok()
            .and_then(|shown| Some(shown.split_whitespace().next()?.to_owned()));
        let ask = |arguments: &[&str]| match &name {
            Some(name) => {
                let mut all = vec!["run", name, "rustc"];
                all.extend(arguments);
                output(folder, "rustup", &all)
            }
            None => output(folder, "rustc", arguments),
        };
        let version = ask(&["--version", "--verbose"])?.trim().to_owned();
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        Ok(Self { name, version, sysroot })
    }

    /// Such as `rustc 1.95.0 (…)`.
    pub fn short(&self) -> &str {
        self.version.lines().next().unwrap_or_default()
    }

    /// Where the standard library's sources are, without which evcxr does not start.
    pub fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    /// The command that installs them.
    pub fn sources_fix(&self) -> String {
        match &self.name {
            Some(name) => format!("rustup component add rust-src --toolchain {name}"),
            None => format!(
                "install Rust with rustup (https://rustup.rs), or the sources of {} with the system's packages (Debian: apt install rust-src)",
                self.short()
            ),
        }
    }

    /// Installs the standard library's sources, unless they are there.
    ///
    /// # Errors
    /// [`Error::Program`] if rustup fails, or is not there.
    pub fn install_sources(&self) -> Result<(), Error> {
        if self.sources().is_dir() {
            return Ok(());
        }
        let failed = |reason: String| Error::Program {
            program: "rustup".to_owned(),
            reason: format!("{reason}; the kernel needs Rust's sources: {}", self.sources_fix()),
        };
        let Some(name) = &self.name else {
            return Err(failed("it has not installed this toolchain".to_owned()));
        };
        output(Path::new("."), "rustup", &["component", "add", "rust-src", "--toolchain", name])
            .map_err(|error| failed(error.to_string()))?;
        if !self.sources().is_dir() {
            return Err(failed(format!("{} is still not there", self.sources().display())));
        }
        Ok(())
    }
}

fn output(folder: &Path, program: &str, arguments: &[&str]) -> Result<String, Error> {
    let failed = |reason: String| Error::Program { program: program.to_owned(), reason };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(failed(text.trim().lines().last().unwrap_or("it failed").to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
