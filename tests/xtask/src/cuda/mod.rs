//! `cargo xtask cuda`: what needs a CUDA device to run. It is built on any machine, packed into a
//! folder that can be carried, and run where a device is.

mod toolchain;

use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{self, Cache};
use crate::shell;
use crate::steps::Steps;
use toolchain::Toolchain;

/// What `pack` leaves to fill in, and what it is run by.
const SCRIPT: &str = include_str!("run.sh");

/// Builds and packs; then runs, if there is a device and nobody asked for the folder alone.
pub fn run(args: &[OsString]) -> Result<()> {
    let folder = match args {
        [] => None,
        [pack] if pack == "pack" => Some(shell::target_folder()?.join("cuda-pack")),
        [pack, folder] if pack == "pack" => {
            let here = std::env::current_dir().context("failed to find the current folder")?;
            Some(here.join(folder))
        }
        [other, ..] => bail!(
            "`cargo xtask cuda` takes nothing, or `pack` and a folder, and got `{}`",
            other.to_string_lossy()
        ),
    };
    let run_here = folder.is_none();
    if run_here {
        shell::output(shell::command("nvidia-smi").arg("-L")).context(
            "there is no CUDA device here; `cargo xtask cuda pack` makes a folder that can be carried to \
             one",
        )?;
    }
    let folder = match folder {
        Some(folder) => folder,
        None => shell::target_folder()?.join("cuda-pack"),
    };
    let cache = Cache::open()?;
    let mut steps = Steps::default();
    let done = pack(&cache, &mut steps, &folder).and_then(|()| {
        if !run_here {
            println!("{}: carry it to a device and run ./run.sh there", folder.display());
            return Ok(());
        }
        steps.run("run", || shell::run(&mut shell::command(folder.join("run.sh"))))
    });
    steps.print();
    done
}

fn pack(cache: &Cache, steps: &mut Steps, folder: &Path) -> Result<()> {
    let toolchain = steps.run("install CUDA's compiler", || {
        let _lock = cache.lock()?;
        Toolchain::install(cache)
    })?;
    let target = shell::target_folder()?.join("cuda");
    let programs = steps.run("build", || build(&toolchain, &target))?;
    steps.run("pack", || {
        cache::remove(folder)?;
        let programs_folder = folder.join("programs");
        fs::create_dir_all(&programs_folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        for (name, program) in &programs {
            let copy = programs_folder.join(name);
            copied(program, &copy)?;
            // Fewer bytes to carry; without `strip` there are more.
            let _ = shell::output(shell::command("strip").arg(&copy));
        }
        let kernels = headers(&target.join("release/build"))?;
        let headers_folder = folder.join("headers");
        fs::create_dir_all(&headers_folder)
            .with_context(|| format!("failed to create {}", headers_folder.display()))?;
        for file in in_folder(&kernels)?.iter().filter(|file| has_extension(file, "cuh")) {
            copied(file, &headers_folder.join(file.file_name().unwrap_or_default()))?;
        }
        let data = folder.join("data");
        fs::create_dir(&data).with_context(|| format!("failed to create {}", data.display()))?;
        shell::run(shell::command("cp").args(["-r", "--parents"]).args(DATA).arg(&data))?;
        let script = SCRIPT
            .replace("@HEADERS@", &kernels.to_string_lossy())
            .replace("@CUDA@", &toolchain.root().to_string_lossy())
            .replace("@ROOT@", &shell::root().to_string_lossy());
        write_script(&folder.join("run.sh"), &script)
    })
}

/// What the tests read, where it lies in the repository.
const DATA: [&str; 2] = ["toolkit/nn/tests/fixtures", "notebooks/data/digits.csv.gz"];

/// Tests by package, features and name.
const TESTS: [(&str, &str, &[&str]); 2] = [
    ("trainbook-nn", "cuda,trial", &["device", "steps", "passes", "pytorch"]),
    ("trainbook", "cuda", &["device"]),
];

/// Builds every program, and gives their names and where they are.
fn build(toolchain: &Toolchain, target: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut programs = Vec::new();
    for (package, features, tests) in TESTS {
        let mut cargo = shell::cargo();
        cargo.args(["test", "--release", "--no-run", "--message-format", "json"]);
        cargo.args(["--package", package, "--features", features]);
        cargo.args(tests.iter().flat_map(|test| ["--test", test]));
        for program in built(toolchain, cargo, target)? {
            programs.push((format!("{package}-{}", program.0), program.1));
        }
    }
    let mut cargo = shell::cargo();
    cargo.args(["build", "--release", "--message-format", "json", "--package", "trainbook-nn"]);
    cargo.args(["--features", "cuda", "--example", "measure_step"]);
    programs.extend(built(toolchain, cargo, target)?);
    ensure!(programs.len() == 6, "cargo built {} programs, not 6", programs.len());
    Ok(programs)
}

fn built(
    toolchain: &Toolchain,
    mut cargo: Command,
    target: &Path,
) -> Result<Vec<(String, PathBuf)>> {
    toolchain.show(&mut cargo)?;
    let messages = shell::output(cargo.env("CARGO_TARGET_DIR", target))?;
    Ok(messages.lines().filter_map(executable).collect())
}

/// The program of one of cargo's messages, and its target's name.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let program = message["executable"].as_str()?;
    Some((message["target"]["name"].as_str()?.to_owned(), program.into()))
}

/// The folder in which dfdx's build has left the headers of its kernels: some are compiled where they
/// run, and look for them there.
fn headers(builds: &Path) -> Result<PathBuf> {
    let of_dfdx = in_folder(builds)?.into_iter().filter(|folder| {
        folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("dfdx-"))
    });
    let mut found: Vec<PathBuf> = of_dfdx
        .map(|folder| folder.join("out"))
        .filter(|out| out.join("cuda_utils.cuh").exists())
        .collect();
    found.sort_by_key(|out| fs::metadata(out).and_then(|of| of.modified()).ok());
    found.pop().with_context(|| format!("dfdx has left no headers in {}", builds.display()))
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("failed to read {}", folder.display());
    let entries = fs::read_dir(folder).with_context(failed)?;
    let paths: std::io::Result<Vec<PathBuf>> =
        entries.map(|entry| entry.map(|e| e.path())).collect();
    paths.with_context(failed)
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("failed to copy {} to {}", from.display(), to.display()))
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("failed to make {} a program", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let of =
            |text: &str| executable(text).map(|(name, path)| (name, path.display().to_string()));
        let built =
            r#"{"reason":"compiler-artifact","target":{"name":"steps"},"executable":"/t/steps-1"}"#;
        assert_eq!(of(built), Some(("steps".to_owned(), "/t/steps-1".to_owned())));
        let library =
            r#"{"reason":"compiler-artifact","target":{"name":"steps"},"executable":null}"#;
        assert_eq!(of(library), None);
        assert_eq!(of("running 3 tests"), None);
    }

    #[test]
    fn the_script_has_a_place_for_all_that_is_filled_in() {
        for name in ["@HEADERS@", "@CUDA@", "@ROOT@"] {
            assert!(SCRIPT.contains(name), "{name}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        let error = run(&["pakc".into()]).unwrap_err().to_string();
        assert!(error.contains("`pack`") && error.contains("`pakc`"), "{error}");
    }
}
