//! Python: the one on the machine, and the virtual environments with the pinned packages of the
//! tests.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Command;

use crate::cache::Cache;
use crate::{kernel, shell};

/// The oldest Python that the pinned packages have wheels for.
const OLDEST: (u32, u32) = (3, 11);

/// The machine's own Python, checked to have pip.
pub fn system() -> Result<Command> {
    let Ok(version) = shell::output(
        shell::command("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]),
    ) else {
        bail!("python3 was not found; install Python {}.{} or newer", OLDEST.0, OLDEST.1);
    };
    if shell::output(shell::command("python3").args(["-m", "pip", "--version"])).is_err() {
        bail!(
            "python3 ({}) has no pip; on Debian and Ubuntu: apt install python3-pip python3-venv",
            dotted(&version)
        );
    }
    Ok(shell::command("python3"))
}

/// A virtual environment with pinned packages.
#[derive(Clone, Copy)]
pub enum Packages {
    /// What the tests run with.
    Newest,
    /// The oldest ONNX Runtime that exported files are tested in.
    Oldest,
    /// PyTorch, for `cargo xtask peers`.
    Peers,
    /// JupyterLab.
    Jupyter,
    /// CUDA's compiler, for `cargo xtask cuda`.
    Cuda,
}

impl Packages {
    /// The folder in the cache.
    fn folder(self) -> &'static str {
        match self {
            Self::Newest => "venv",
            Self::Oldest => "venv-oldest",
            Self::Peers => "venv-peers",
            Self::Jupyter => "venv-jupyter",
            Self::Cuda => "venv-cuda",
        }
    }

    /// The file in `tests/python`.
    fn requirements(self) -> &'static str {
        match self {
            Self::Newest => "requirements.txt",
            Self::Oldest => "requirements-oldest.txt",
            Self::Peers => "requirements-peers.txt",
            Self::Jupyter => "requirements-jupyter.txt",
            Self::Cuda => "requirements-cuda.txt",
        }
    }
}

/// Installs the tests' pinned packages into their virtual environments in the cache.
pub fn install(cache: &Cache) -> Result<()> {
    install_one(cache, Packages::Newest)?;
    install_one(cache, Packages::Oldest)
}

/// Installs the pinned packages into their virtual environment, unless they are there.
pub fn install_one(cache: &Cache, packages: Packages) -> Result<()> {
    let path = shell::root().join("tests/python").join(packages.requirements());
    let requirements =
        fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let wanted: String =
        Sha256::digest(&requirements).iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.path(packages.folder());
    // The interpreter is a link to the machine's own, which may have gone.
    if fs::read_to_string(folder.join("requirements.sha256")).is_ok_and(|found| found == wanted)
        && folder.join("bin/python").exists()
    {
        return Ok(());
    }
    let mut python = system()?;
    let version = shell::output(
        shell::command("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]),
    )?;
    if numbers(&version) < Some(OLDEST) {
        bail!(
            "python3 is version {}; the tests need {}.{} or newer",
            dotted(&version),
            OLDEST.0,
            OLDEST.1
        );
    }
    cache.make(packages.folder(), |partial| {
        shell::run(python.args(["-m", "venv"]).arg(partial)).context(
            "failed to make a virtual environment (on Debian and Ubuntu: apt install python3-venv)",
        )?;
        let mut pip = shell::command(partial.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        // The file names everything that is needed, and nothing else is to come.
        pip.args(["--no-deps", "--require-hashes", "--only-binary=:all:", "-r"]);
        shell::run(pip.arg(&path))?;
        fs::write(partial.join("requirements.sha256"), &wanted)
            .context("failed to write the stamp of the packages")
    })
}

/// The Python of an environment; it sees the cache's notebook kernel and no other.
pub fn interpreter(cache: &Cache, packages: Packages) -> Command {
    let mut command = shell::command(cache.path(packages.folder()).join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    kernel::show(cache, &mut command);
    command
}

/// The environment's Python, about to run a script of `tests/python`; it sees the cache's notebook
/// kernel and no other.
pub fn script(cache: &Cache, name: &str) -> Command {
    script_with(cache, Packages::Newest, name)
}

/// The same with other packages.
pub fn script_with(cache: &Cache, packages: Packages, name: &str) -> Command {
    let mut command = interpreter(cache, packages);
    command.arg(shell::root().join("tests/python").join(name));
    command
}

/// Reads "3 11".
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split_whitespace().map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn dotted(version: &str) -> String {
    version.split_whitespace().collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(numbers("3 11\n"), Some(OLDEST));
        assert!(numbers("3 9\n") < Some(OLDEST));
        assert!(numbers("not python") < Some(OLDEST));
    }
}
