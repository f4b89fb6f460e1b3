//! ONNX Runtime's shared library, out of the pinned Python wheel.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::{python, shell};

const VERSION: &str = "1.32.0";

/// The variable that names the library to whoever loads it.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// A platform's wheel. The library in it is the same file for every Python version, so one is fixed.
struct Wheel {
    platform: &'static str,
    sha256: &'static str, // of the library
}

fn wheel() -> Option<Wheel> {
    let (platform, sha256) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => {
            ("manylinux_2_28_x86_64", "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f")
        }
        ("linux", "aarch64") => {
            ("manylinux_2_28_aarch64", "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a")
        }
        _ => return None,
    };
    Some(Wheel { platform, sha256 })
}

/// Whether nothing is left to install: the library is in the cache, or the user names another one in `ORT_DYLIB_PATH`.
pub fn installed(cache: &Cache) -> bool {
    named_by_user() || library(cache).exists()
}

/// Puts the library into the cache unless it is installed.
pub fn install(cache: &Cache) -> Result<()> {
    if installed(cache) {
        return Ok(());
    }
    let Some(wheel) = wheel() else {
        bail!(
            "no ONNX Runtime is known for {} on {}: set {VARIABLE} to the path of its shared library, version {VERSION}",
            std::env::consts::OS,
            std::env::consts::ARCH
        );
    };
    eprintln!("fetching ONNX Runtime {VERSION}, once");
    cache.make(&format!("onnxruntime-{VERSION}"), |partial| {
        let file = partial.join(file_name());
        unpack(&wheel, partial, &file).with_context(|| {
            format!("failed to fetch ONNX Runtime {VERSION} (or set {VARIABLE} to the path of its shared library)")
        })?;
        check(&file, wheel.sha256)
    })
}

/// Tells the command where the library is, unless the user did.
pub fn show(cache: &Cache, command: &mut Command) {
    if !named_by_user() {
        command.env(VARIABLE, library(cache));
    }
}

fn named_by_user() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|path| !path.is_empty())
}

fn library(cache: &Cache) -> PathBuf {
    cache.path(&format!("onnxruntime-{VERSION}")).join(file_name())
}

fn file_name() -> String {
    format!("libonnxruntime.so.{VERSION}")
}

/// Downloads the wheel, takes the library out of it and removes the wheel.
fn unpack(wheel: &Wheel, folder: &Path, file: &Path) -> Result<()> {
    let downloads = folder.join("wheel");
    let mut pip = python::system()?;
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]);
    pip.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", wheel.platform]);
    shell::run(pip.arg(format!("onnxruntime=={VERSION}")).arg("--dest").arg(&downloads))?;
    let copy = "import pathlib, shutil, sys, zipfile\n\
        folder, member, file = sys.argv[1:]\n\
        wheel, = pathlib.Path(folder).glob('*.whl')\n\
        with zipfile.ZipFile(wheel) as z, z.open(member) as source, open(file, 'wb') as target:\n    \
            shutil.copyfileobj(source, target)\n";
    let member = format!("onnxruntime/capi/{}", file_name());
    shell::output(shell::command("python3").args(["-c", copy]).arg(&downloads).arg(member).arg(file))?;
    fs::remove_dir_all(&downloads).with_context(|| format!("failed to remove {}", downloads.display()))
}

fn check(file: &Path, expected: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != expected {
        bail!("ONNX Runtime's library is not the known one: its SHA-256 is {found}, but should be {expected}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_library_is_refused() {
        let file = std::env::temp_dir().join(format!("xtask-ort-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        // The SHA-256 of "abc", from FIPS 180-4's examples.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        check(&file, expected).unwrap();
        fs::write(&file, "abd").unwrap();
        assert!(check(&file, expected).unwrap_err().to_string().contains(expected));
        fs::remove_file(file).unwrap();
    }
}
