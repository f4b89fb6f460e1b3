//! Running other programs.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub fn root() -> PathBuf {
    // `cargo run` says it anew: two checkouts may share a target folder, and this program then is
    // of the one that built it last.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from); // tests/xtask
    here.ancestors().nth(2).unwrap_or(&here).to_path_buf()
}

/// A command that runs in the root of the repository, without standard input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    // `cargo run` puts its own target folder first on this path. A notebook would then load the
    // toolkit's library from there instead of the one it was linked with: both have the same file
    // name.
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        let target =
            std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
        let kept = std::env::split_paths(&paths)
            .filter(|p| target.as_ref().is_none_or(|t| !p.starts_with(t)));
        match std::env::join_paths(kept) {
            Ok(kept) if !kept.is_empty() => command.env("LD_LIBRARY_PATH", kept),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

/// The cargo that runs xtask.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where cargo puts what it builds.
pub fn target_folder() -> Result<PathBuf> {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("failed to read cargo's metadata")?;
    match metadata["target_directory"].as_str() {
        Some(folder) => Ok(folder.into()),
        None => bail!("failed to read cargo's metadata: it names no target_directory"),
    }
}

/// Runs a command; all it prints goes to standard error.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status =
        command.stdout(std::io::stderr()).status().with_context(|| not_started(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output. Its standard error is part of the error when it
/// fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| not_started(command))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let told = told
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        bail!("`{}` failed ({}): {told}", shown(command), output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed no UTF-8", shown(command)))
}

/// Runs a command, lets its output through and returns the lines of it that `wanted` picks.
pub fn run_keeping(command: &mut Command, wanted: fn(&str) -> bool) -> Result<Vec<String>> {
    eprintln!("$ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| not_started(command))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let kept = std::thread::scope(|scope| {
        let err = scope.spawn(move || {
            err.map(|pipe| copy(pipe, std::io::stderr(), wanted)).unwrap_or_default()
        });
        let mut kept = out.map(|pipe| copy(pipe, std::io::stdout(), wanted)).unwrap_or_default();
        kept.extend(err.join().unwrap_or_default());
        kept
    });
    let status =
        child.wait().with_context(|| format!("failed to wait for `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(kept)
}

fn copy(pipe: impl Read, mut to: impl Write, wanted: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(pipe).split(b'\n').map_while(|line| line.ok()) {
        // A closed terminal must not stop the command whose output this is.
        let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line);
        if wanted(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}

fn not_started(command: &Command) -> String {
    format!("failed to start `{}`", command.get_program().to_string_lossy())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_lock_file() {
        assert!(root().join("Cargo.lock").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_command_is_named_with_what_it_told() {
        let error =
            output(command("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with(": why"), "{error}");
        let error = run(&mut command("no-such-program")).unwrap_err().to_string();
        assert_eq!(error, "failed to start `no-such-program`");
    }

    #[cfg(unix)]
    #[test]
    fn lines_are_kept_from_both_streams() {
        let kept = run_keeping(command("sh").args(["-c", "echo a 1; echo b; echo a 2 >&2"]), |l| {
            l.starts_with('a')
        });
        assert_eq!(kept.unwrap(), ["a 1", "a 2"]);
    }
}
