//! `cargo xtask demo`: the main job, by the release build of the `trainbook` command.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use crate::cache::Cache;
use crate::{onnxruntime, shell};

/// Runs `trainbook demo` with these arguments in the caller's folder; its exit code is the result.
pub fn run(args: &[OsString]) -> Result<ExitCode> {
    let cache = Cache::open()?;
    // Not behind the lock when there is nothing to do: another xtask may hold it for minutes.
    if !onnxruntime::installed(&cache) {
        let _lock = cache.lock()?;
        onnxruntime::install(&cache)?;
    }
    let mut command = shell::command(build()?);
    // Paths among the arguments are the caller's.
    command.current_dir(std::env::current_dir().context("failed to find the current folder")?);
    command.stdin(Stdio::inherit()).arg("demo").args(args);
    onnxruntime::show(&cache, &mut command);
    hand_over(command)
}

/// Builds the release `trainbook` and returns its path.
pub fn build() -> Result<PathBuf> {
    let program = shell::target_folder()?
        .join("release")
        .join(format!("trainbook{}", std::env::consts::EXE_SUFFIX));
    let mut build = shell::cargo();
    build.args(["build", "--release", "--package", "trainbook-cli"]);
    if !std::io::stderr().is_terminal() {
        build.arg("--quiet"); // no one watches the progress
    }
    if !program.exists() {
        eprintln!("building trainbook, once: about five minutes on two cores");
    }
    let status = build.stdout(std::io::stderr()).status().context("failed to start cargo")?;
    anyhow::ensure!(status.success(), "cargo could not build trainbook ({status})");
    Ok(program)
}

#[cfg(unix)]
fn hand_over(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec(); // returns only when it fails
    Err(error)
        .with_context(|| format!("failed to start {}", command.get_program().to_string_lossy()))
}

#[cfg(not(unix))]
fn hand_over(mut command: Command) -> Result<ExitCode> {
    let status = command
        .status()
        .with_context(|| format!("failed to start {}", command.get_program().to_string_lossy()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
