//! `cargo xtask jupyter`: JupyterLab in an environment of its own, with the kernel that trains.

use anyhow::{Context, Result};
use std::process::Stdio;

use crate::cache::Cache;
use crate::python::{self, Packages};
use crate::steps::Steps;
use crate::{kernel, onnxruntime, shell};

/// Installs what notebooks need, opens them and stays until JupyterLab ends. `options` go to it.
pub fn run(options: &[std::ffi::OsString]) -> Result<()> {
    let cache = prepared()?;
    // Not by its script, which names the folder in which the environment was made.
    let mut lab = python::interpreter(&cache, Packages::Jupyter);
    onnxruntime::show(&cache, &mut lab);
    lab.args(["-m", "jupyterlab"]);
    if is_root() {
        lab.arg("--allow-root"); // in a container there may be nobody else
    }
    lab.arg(shell::root().join("notebooks")).args(options).stdin(Stdio::inherit());
    println!(
        "JupyterLab tells its address below; Ctrl-C ends it. A notebook's kernel is “Rust (trainbook)”, its first line"
    );
    println!("use trainbook_notebook::prelude::*;");
    // Ctrl-C is JupyterLab's, too, which asks whether it is meant.
    let status = lab.status().context("failed to start JupyterLab")?;
    anyhow::ensure!(status.success(), "JupyterLab failed ({status})");
    Ok(())
}

fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

/// Checks the kernel with Jupyter's own client, and prints how long kernels and cells take; then the
/// doctor, with faults planted in a copy of what is installed.
pub fn check() -> Result<()> {
    let cache = prepared()?;
    let script = |name| {
        let mut check = python::script_with(&cache, Packages::Jupyter, name);
        onnxruntime::show(&cache, &mut check);
        check.arg("--launcher").arg(kernel::living(&cache));
        check
    };
    shell::run(&mut script("check_kernel.py"))?;
    shell::run(shell::cargo().args(["build", "--quiet", "--package", "trainbook-cli"]))?;
    let file = format!("trainbook{}", std::env::consts::EXE_SUFFIX);
    let program = shell::target_folder()?.join("debug").join(file);
    let mut doctor = script("check_doctor.py");
    doctor.arg("--trainbook").arg(program).arg("--data").arg(kernel::data(&cache));
    shell::run(&mut doctor)
}

/// Takes the book's pictures of JupyterLab; needs a Chromium.
pub fn pictures() -> Result<()> {
    let cache = prepared()?;
    let mut pictures = python::script_with(&cache, Packages::Jupyter, "picture_jupyter.py");
    onnxruntime::show(&cache, &mut pictures);
    shell::run(&mut pictures)
}

/// `cargo xtask setup`: what notebooks need, and nothing else.
pub fn setup() -> Result<()> {
    prepared()?;
    println!("\nto open the notebooks: cargo xtask jupyter");
    Ok(())
}

fn prepared() -> Result<Cache> {
    let cache = Cache::open()?;
    let mut steps = Steps::default();
    let installed = install(&cache, &mut steps);
    steps.print();
    installed?;
    Ok(cache)
}

fn install(cache: &Cache, steps: &mut Steps) -> Result<()> {
    let _lock = cache.lock()?;
    steps.run("install JupyterLab", || python::install_one(cache, Packages::Jupyter))?;
    steps.run("install ONNX Runtime", || onnxruntime::install(cache))?;
    steps.run("install the notebook kernel", || kernel::install(cache))
}
