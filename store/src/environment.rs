//! Where a run ran.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Where a run ran: enough to explain why another machine got other numbers.
///
/// The environment's variables are not recorded, because they hold secrets; the one exception is `RAYON_NUM_THREADS`.
/// The command line is recorded as it was given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// The process that recorded the run. It tells who holds a lock, and nothing once that process is gone.
    pub process_id: u32,
    /// The name of the machine, where the system tells it.
    pub host_name: Option<String>,
    /// Operating system, for example `linux`.
    pub os: String,
    /// Instruction set, for example `x86_64`.
    pub arch: String,
    /// The processor's name, where the system tells it.
    pub cpu_model: Option<String>,
    /// How many threads may run at once.
    pub threads: usize,
    /// The value of `RAYON_NUM_THREADS`.
    pub rayon_num_threads: Option<String>,
    /// The version of trainbook.
    pub toolkit_version: String,
    /// The program and its arguments.
    pub command_line: Vec<String>,
    /// The commit that is checked out in the repository round the working folder.
    pub git_commit: Option<String>,
    /// Whether a tracked file differs from that commit.
    pub git_dirty: Option<bool>,
    /// blake3 of the nearest `Cargo.lock` in the working folder or above it, in hexadecimal.
    pub cargo_lock_hash: Option<String>,
}

impl Environment {
    /// Looks round. What cannot be found out is `None`; nothing fails, and git is given up after a fifth of a second.
    pub fn capture() -> Environment {
        let folder = std::env::current_dir().ok();
        let repository = folder.as_deref().and_then(|folder| nearest(folder, ".git"));
        let lock_file = folder.as_deref().and_then(|folder| nearest(folder, "Cargo.lock"));
        Environment {
            process_id: std::process::id(),
            host_name: host_name(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpu_model: cpu_model(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            rayon_num_threads: std::env::var("RAYON_NUM_THREADS").ok(),
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            command_line: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            git_commit: repository.as_deref().and_then(commit),
            git_dirty: repository.as_deref().and_then(dirty),
            cargo_lock_hash: lock_file
                .and_then(|path| std::fs::read(path).ok())
                .map(|bytes| blake3::hash(&bytes).to_string()),
        }
    }
}

/// The path of `name` in `folder` or in the nearest folder above that has it.
fn nearest(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|path| path.exists())
}

fn commit(repository: &Path) -> Option<String> {
    let (code, output) = git(repository, ["rev-parse", "HEAD"])?;
    let commit = output.trim();
    (code == 0 && !commit.is_empty()).then(|| commit.to_owned())
}

fn dirty(repository: &Path) -> Option<bool> {
    // Answers by its exit status; the option keeps it from writing to the repository.
    match git(repository, ["--no-optional-locks", "diff", "--quiet", "HEAD"])?.0 {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Exit status and output of a git command that prints less than a pipe holds.
fn git<const N: usize>(repository: &Path, args: [&str; N]) -> Option<(i32, String)> {
    const PATIENCE: Duration = Duration::from_millis(200);
    let root = repository.parent().map_or(OsStr::new("."), Path::as_os_str);
    let mut child = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let output = std::io::read_to_string(child.stdout.take()?).ok()?;
                return Some((status.code()?, output));
            }
            Ok(None) if started.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => {
                // Without the wait the child would stay a zombie as long as the notebook lives.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_names_the_machine_and_no_secret() {
        let environment = Environment::capture();
        assert_eq!(environment.os, std::env::consts::OS);
        assert_eq!(environment.process_id, std::process::id());
        assert!(environment.threads >= 1);
        assert!(!environment.command_line.is_empty());
        assert_eq!(environment.cargo_lock_hash.as_ref().map(String::len), Some(64));
        let text = serde_json::to_string(&environment).unwrap();
        let home = std::env::var("CARGO_PKG_DESCRIPTION").unwrap_or_default();
        assert!(home.is_empty() || !text.contains(&home), "an environment variable leaked");
    }

    #[test]
    fn git_tells_commit_and_changes() {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let ok = Command::new("git").arg("-C").arg(folder.path()).args(args).output().unwrap().status.success();
            assert!(ok, "git {args:?}");
        };
        let repository = folder.path().join(".git");
        run(&["init", "-q"]);
        assert_eq!(commit(&repository), None, "no commit yet");
        std::fs::write(folder.path().join("a"), "one").unwrap();
        run(&["add", "a"]);
        run(&["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "commit", "-qm", "a"]);
        assert_eq!(commit(&repository).map(|commit| commit.len()), Some(40));
        assert_eq!(dirty(&repository), Some(false));
        std::fs::write(folder.path().join("a"), "two").unwrap();
        assert_eq!(dirty(&repository), Some(true));
    }
}
