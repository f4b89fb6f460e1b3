//! `cargo xtask accuracy`: how well the library learns: six tasks beside PyTorch's figures on the
//! same recipes, two of few rows beside themselves without augmentation, two under mixed precision
//! beside themselves in f32.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::process::ExitCode;

use crate::shell;

/// Runs the example that trains them; `args` are `--json` and names of tasks.
pub fn run(args: &[OsString]) -> Result<ExitCode> {
    let mut example = shell::cargo();
    example.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "trainbook",
        "--example",
        "accuracy",
    ]);
    let status =
        example.arg("--").args(args).status().context("failed to start the example `accuracy`")?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        None => bail!("the example `accuracy` was ended by a signal"),
    }
}
