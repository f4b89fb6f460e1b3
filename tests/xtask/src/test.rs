//! `cargo xtask test`: everything that CI checks, in the order in which a failure is cheapest to
//! meet.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{self, Cache};
use crate::python::Packages;
use crate::steps::Steps;
use crate::{demo, determinism, exports, install, notebooks, onnxruntime, python, shell, tool};

/// Runs every check; `quick` leaves out the notebooks.
pub fn run(quick: bool) -> Result<()> {
    let cache = Cache::open()?;
    let mut steps = Steps::default();
    let mut closing = Closing::default();
    let checked = check(&cache, &mut steps, &mut closing, quick);
    closing.print();
    steps.print();
    checked?;
    // Last, alone on its line: the count that a reader or a CI looks for.
    println!("\n{} passed, 0 failed", closing.passed());
    Ok(())
}

fn check(cache: &Cache, steps: &mut Steps, closing: &mut Closing, quick: bool) -> Result<()> {
    let before = git_status();
    install(cache, steps, !quick)?;
    steps.run("formatting", || shell::run(shell::cargo().args(["fmt", "--all", "--check"])))?;
    steps.run("clippy, with the CUDA path", || {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--quiet"]).args(exports::FEATURES);
        // Type-checks what needs a CUDA device to run.
        clippy.args(["--features", "trainbook/cuda,trainbook/ci-check"]);
        shell::run(clippy.args(["--", "-D", "warnings"]))
    })?;
    steps.run("clippy, without it", || {
        // What such a build leaves out.
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--package", "trainbook", "--lib", "--quiet"]);
        shell::run(clippy.args(["--", "-D", "warnings"]))
    })?;
    steps.run("tests", || {
        let mut tests = shell::cargo();
        if shell::output(shell::cargo().args(["nextest", "--version"])).is_ok() {
            tests.args(["nextest", "run", "--workspace"]).args(exports::FEATURES);
        } else {
            // the doctests have a step of their own
            tests
                .args(["test", "--workspace", "--lib", "--bins", "--tests", "--examples"])
                .args(exports::FEATURES);
        }
        closing.run(cache, tests)
    })?;
    ensure!(closing.passed() > 0, "no test was run");
    steps.run("doctests", || {
        let mut tests = shell::cargo();
        tests.args(["test", "--workspace", "--doc"]).args(exports::FEATURES);
        closing.run(cache, tests)
    })?;
    steps.run("Python reads the exports", || exports::check(cache))?;
    let program = steps.run("release build", demo::build)?;
    let scratch = Scratch::new(cache)?;
    let exported =
        steps.run("the demo repeats itself", || determinism::check(cache, &program, &scratch.0))?;
    steps.run("Python checks the exported file", || {
        shell::run(python::script(cache, "check_onnx.py").arg(&exported))?;
        shell::run(python::script(cache, "check_onnx.py").arg("--refuses"))
    })?;
    steps.run("Python quantises the exported file", || {
        let digits = shell::root().join("notebooks/data/digits.csv.gz");
        shell::run(python::script(cache, "quantize.py").arg(&exported).arg(digits))
    })?;
    steps.run("Python checks every layer", || {
        // Written by the tests above.
        let written = shell::target_folder()?.join("tmp");
        for packages in [Packages::Newest, Packages::Oldest] {
            shell::run(python::script_with(cache, packages, "check_layers.py").arg("--refuses"))?;
            // dfdx's layers, and those of networks as data.
            for layers in ["onnx-layers", "onnx-networks"] {
                let mut check = python::script_with(cache, packages, "check_layers.py");
                shell::run(check.arg(written.join(layers)))?;
            }
        }
        Ok(())
    })?;
    if !quick {
        steps.run("notebooks", || notebooks::check(cache))?;
    }
    steps.run("the book", || {
        let book = shell::target_folder()?.join("book");
        shell::run(
            shell::command(tool::MDBOOK.program(cache))
                .args(["build", "book", "--dest-dir"])
                .arg(book),
        )
    })?;
    steps.run("the repository is as it was", || {
        let after = git_status();
        ensure!(before == after, "the checks changed the repository: {}", changes(&before, &after));
        Ok(())
    })
}

/// What git says has changed; nothing where there is no git or no repository.
fn git_status() -> String {
    shell::output(shell::command("git").args(["status", "--porcelain"])).unwrap_or_default()
}

fn changes(before: &str, after: &str) -> String {
    let only = |a: &str, b: &str| {
        a.lines().filter(|l| !b.lines().any(|m| m == *l)).map(str::to_owned).collect()
    };
    let lines: Vec<String> =
        [only(after, before), only(before, after)].into_iter().flat_map(|l: Vec<_>| l).collect();
    lines.join(", ")
}

/// The lines with which the test runners close.
#[derive(Default)]
struct Closing(Vec<String>);

impl Closing {
    fn run(&mut self, cache: &Cache, mut tests: Command) -> Result<()> {
        onnxruntime::show(cache, &mut tests);
        self.0.extend(shell::run_keeping(&mut tests, |line| passed(line).is_some())?);
        Ok(())
    }

    fn passed(&self) -> usize {
        self.0.iter().filter_map(|line| passed(line)).sum()
    }

    fn print(&self) {
        println!();
        self.0.iter().for_each(|line| println!("{line}"));
    }
}

/// How many tests passed, if this is a runner's closing line: nextest's "Summary […] 9 tests run: 9
/// passed, …" or cargo's "test result: ok. 9 passed; …".
fn passed(line: &str) -> Option<usize> {
    let line = line.trim_start();
    if !line.starts_with("Summary [") && !line.starts_with("test result: ") {
        return None;
    }
    line[..line.find(" passed")?].rsplit(' ').next()?.parse().ok()
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(cache: &Cache) -> Result<Self> {
        let folder = cache.path(&format!("test-{}", std::process::id()));
        make_empty(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = cache::remove(&self.0) {
            eprintln!("{error:#}");
        }
    }
}

fn make_empty(folder: &Path) -> Result<()> {
    cache::remove(folder)?;
    std::fs::create_dir(folder).with_context(|| format!("failed to create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let nextest =
            "     Summary [   0.123s] 14 tests run: 12 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(passed(nextest), Some(12));
        assert_eq!(passed("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured"), Some(5));
        assert_eq!(passed("running 3 tests"), None);
        assert_eq!(passed("the docs say 3 passed"), None);
    }

    #[test]
    fn a_new_file_and_a_vanished_one_are_both_named() {
        assert_eq!(changes(" M a\n", " M a\n?? b\n"), "?? b");
        assert_eq!(changes(" M a\n?? b\n", "?? b\n"), " M a");
    }
}
