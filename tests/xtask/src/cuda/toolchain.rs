//! CUDA's compiler from Python's wheels, and what takes the place of its libraries where programs are
//! only linked.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::python::{self, Packages};
use crate::shell;

/// The architecture that is compiled for, unless the variable names another: Hopper's.
const ARCHITECTURE: (&str, &str) = ("CUDA_COMPUTE_CAP", "9.0");

/// The libraries that programs are linked with: cudarc's module whose functions they have, and under
/// which name the real one is looked for.
const LIBRARIES: [(&str, &str, &str); 5] = [
    ("cuda", "driver", "libcuda.so.1"),
    ("cublas", "cublas", "libcublas.so.13"),
    ("cublasLt", "cublaslt", "libcublasLt.so.13"),
    ("nvrtc", "nvrtc", "libnvrtc.so.13"),
    ("curand", "curand", "libcurand.so.10"),
];

/// An installed toolchain.
pub struct Toolchain {
    root: PathBuf,
    folder: PathBuf,
}

impl Toolchain {
    /// Installs the compiler into the cache unless it is there, and makes the rest anew.
    pub fn install(cache: &Cache) -> Result<Self> {
        python::install_one(cache, Packages::Cuda)?;
        let mut find = python::interpreter(cache, Packages::Cuda);
        find.args(["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]);
        let root = PathBuf::from(shell::output(&mut find)?.trim()).join("nvidia/cu13");
        let cudarc = cudarc()?;
        cache.make("cuda", |partial| {
            let (programs, libraries) = (partial.join("bin"), partial.join("lib"));
            for folder in [&programs, &libraries] {
                fs::create_dir(folder)
                    .with_context(|| format!("failed to create {}", folder.display()))?;
            }
            // Build scripts ask it for the architecture.
            let (variable, default) = ARCHITECTURE;
            let version = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
            let script = format!("#!/bin/sh\necho compute_cap\necho {version}\n");
            super::write_script(&programs.join("nvidia-smi"), &script)?;
            for (name, module, real) in LIBRARIES {
                let declared = cudarc.join("src").join(module).join("sys.rs");
                let text = fs::read_to_string(&declared)
                    .with_context(|| format!("failed to read {}", declared.display()))?;
                stand_in(&libraries, name, real, &functions(&text))?;
            }
            Ok(())
        })?;
        Ok(Self { root, folder: cache.path("cuda") })
    }

    /// CUDA's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Lets a build see the toolchain.
    pub fn show(&self, command: &mut Command) -> Result<()> {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let first = [self.folder.join("bin"), self.root.join("bin")];
        let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&own)))
            .context("failed to put CUDA's programs on the path")?;
        let libraries = self.folder.join("lib");
        let flags = format!("-L {} -C link-arg=-Wl,--allow-shlib-undefined", libraries.display());
        command.env("PATH", path).env("CUDA_PATH", &self.root).env("RUSTFLAGS", flags);
        Ok(())
    }
}

/// Where cargo keeps cudarc's sources.
fn cudarc() -> Result<PathBuf> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("failed to read cargo's metadata")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cudarc = packages.iter().find(|package| package["name"] == "cudarc");
    let manifest = cudarc.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("cargo's metadata do not name cudarc")?);
    Ok(manifest.parent().unwrap_or(manifest).to_path_buf())
}

/// The functions that a module of bindings declares.
fn functions(bindings: &str) -> Vec<&str> {
    let declared = bindings.split("pub fn ").skip(1);
    let name = |text: &'_ str| text.find('(').map(|end| text[..end].trim().len());
    let mut names: Vec<&str> =
        declared.filter_map(|text| name(text).map(|len| &text[..len])).collect();
    names.retain(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    names.sort_unstable();
    names.dedup();
    names
}

/// A library that has these functions and does nothing.
fn stand_in(folder: &Path, name: &str, real: &str, functions: &[&str]) -> Result<()> {
    let source = folder.join(format!("{name}.c"));
    let text: String = functions.iter().map(|name| format!("void {name}(void) {{}}\n")).collect();
    fs::write(&source, text).with_context(|| format!("failed to write {}", source.display()))?;
    let mut compile = shell::command("cc");
    compile.args(["-shared", "-fPIC", "-w", &format!("-Wl,-soname,{real}"), "-o"]);
    shell::run(compile.arg(folder.join(format!("lib{name}.so"))).arg(&source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_bindings() {
        let bindings = "extern \"C\" {\n    pub fn cuInit(Flags: u32) -> u32;\n    pub fn cuGet (\n x: u8);\n}\nimpl T { pub fn new<T>(x: T) {} }";
        assert_eq!(functions(bindings), ["cuGet", "cuInit"]);
    }
}
