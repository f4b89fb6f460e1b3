//! Runs in other programs' formats, read back by those programs.

use anyhow::{Result, ensure};
use std::path::Path;

use crate::cache::Cache;
use crate::{python, shell};

/// What the workspace is built with for the tests: everything that the command can have without
/// leaving this machine.
pub const FEATURES: [&str; 2] = [
    "--features",
    "trainbook-cli/arrow,trainbook-cli/parquet,trainbook-cli/tokenizers,trainbook-cli/tract,\
     trainbook/ndarray",
];

/// Runs `check_exports.py` with the programs that the step `tests` built.
pub fn check(cache: &Cache) -> Result<()> {
    // Builds nothing after that step. Before it, it does.
    let mut build = shell::cargo();
    shell::run(
        build
            .args([
                "test",
                "--quiet",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--examples",
                "--no-run",
            ])
            .args(FEATURES),
    )?;
    let folder = shell::target_folder()?.join("debug");
    let program = folder.join(format!("trainbook{}", std::env::consts::EXE_SUFFIX));
    let samples =
        folder.join("examples").join(format!("write_samples{}", std::env::consts::EXE_SUFFIX));
    for path in [&program, &samples] {
        ensure!(Path::new(path).exists(), "cargo built no {}", path.display());
    }
    shell::run(python::script(cache, "check_exports.py").arg(program).arg(samples))
}
