//! `cargo xtask notebooks`: the notebooks, cell by cell, in the Jupyter kernel that a user has.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

use crate::cache::Cache;
use crate::steps::Steps;
use crate::{install, onnxruntime, python, shell};

/// Runs every notebook; with `save`, writes what the cells showed into the files.
pub fn run(save: bool) -> Result<()> {
    let cache = Cache::open()?;
    let mut steps = Steps::default();
    let done = install(&cache, &mut steps, true)
        .and_then(|()| steps.run("notebooks", || execute(&cache, &all()?, save)));
    steps.print();
    done
}

/// Runs the notebook whose cells must be refused, then every real one.
pub fn check(cache: &Cache) -> Result<()> {
    execute(cache, &["tests/python/notebooks-bad/refused.ipynb".into()], false)?;
    execute(cache, &all()?, false)
}

fn execute(cache: &Cache, notebooks: &[PathBuf], save: bool) -> Result<()> {
    let mut command = python::script(cache, "run_notebook.py");
    onnxruntime::show(cache, &mut command);
    if save {
        command.arg("--save");
    }
    shell::run(command.args(notebooks))
}

fn all() -> Result<Vec<PathBuf>> {
    let folder = shell::root().join("notebooks");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to read {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "ipynb") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "there is no notebook in {}", folder.display());
    Ok(found)
}
