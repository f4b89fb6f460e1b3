//! The code, as git knows it.
//!
//! Nothing that git may do can hold up or break a run. All commands run at once and share half a
//! second; their output is read by threads, so that a full pipe blocks nobody, and only as far as
//! its limit. A command that is late or says too much is killed.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::attachments::Attached;
use super::facts::Environment;

/// How long git may take, all in all.
const PATIENCE: Duration = Duration::from_millis(500);

/// How large a diff may be, in bytes.
const LARGEST_DIFF: usize = 1 << 20;

/// How many names of untracked files are kept.
const MOST_UNTRACKED: usize = 100;

/// Options that make a diff the same for every user, whatever they have configured, and keep git
/// from starting programs.
const DIFF: [&str; 12] = [
    "diff",
    "--binary",
    "--full-index",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "HEAD",
    "--",
];

/// Fills in what the repository at `root` says.
pub(super) fn look(root: &Path, environment: &mut Environment) {
    look_within(root, environment, PATIENCE);
}

fn look_within(root: &Path, environment: &mut Environment, patience: Duration) {
    let deadline = Instant::now() + patience;
    let commit =
        Running::start(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], 1 << 10);
    let diff = Running::start(root, &DIFF, LARGEST_DIFF);
    // A folder without a tracked file is one name, so that a data set beside the code costs
    // nothing.
    let untracked = Running::start(
        root,
        &["ls-files", "--others", "--exclude-standard", "--directory", "-z"],
        LARGEST_DIFF,
    );

    match commit.and_then(|running| running.finish(deadline)) {
        Ok(output) => {
            environment.git_commit = Some(String::from_utf8_lossy(&output).trim().to_owned())
        }
        Err(GitError::Refused { code: 1 }) => {
            environment.is_unknown("git_commit", "the repository has no commit yet");
        }
        Err(error) => environment.is_unknown("git_commit", error.to_string()),
    }
    let diff = diff.and_then(|running| running.finish(deadline));
    match diff {
        Ok(output) if output.is_empty() => environment.git_dirty = Some(false),
        Ok(output) => {
            environment.git_dirty = Some(true);
            environment.attach(Attached::GitDiff, output);
        }
        Err(error) => {
            if matches!(error, GitError::TooLong { .. }) {
                environment.git_dirty = Some(true);
            }
            environment.is_unknown("git_diff", error.to_string());
        }
    }
    match untracked.and_then(|running| running.finish(deadline)) {
        Ok(output) => {
            let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            let mut names: Vec<String> =
                names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            names.sort();
            environment.git_untracked_count = Some(names.len() as u64);
            names.truncate(MOST_UNTRACKED);
            environment.git_untracked = names;
        }
        Err(error) => environment.is_unknown("git_untracked", error.to_string()),
    }
}

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
enum GitError {
    #[error("git is not installed")]
    Absent,
    #[error("git could not be started: {0}")]
    Broken(io::Error),
    #[error("git refuses a repository that belongs to another user (its setting safe.directory)")]
    NotOwned,
    #[error("git ended with exit code {code}")]
    Refused { code: i32 },
    #[error("git was killed")]
    Killed,
    #[error("git did not answer in time")]
    Late,
    #[error("it has more than {limit} bytes")]
    TooLong { limit: usize },
}

/// A git command whose output is being read. Dropped before its end, it is killed.
struct Running {
    child: Child,
    output: Receiver<io::Result<Vec<u8>>>,
    complaint: Receiver<io::Result<Vec<u8>>>,
    limit: usize,
}

impl Running {
    fn start(root: &Path, args: &[&str], limit: usize) -> Result<Running, GitError> {
        let mut command = Command::new("git");
        // No daemon that would inherit our pipes, and nothing is written to the repository.
        command
            .args(["-c", "core.fsmonitor=false", "--no-optional-locks", "-C"])
            .arg(root)
            .args(args);
        // Set inside a hook of git, they would name another repository.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
            command.env_remove(name);
        }
        // A broken repository is no reason to look at the folders above.
        command.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root));
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => GitError::Absent,
            _ => GitError::Broken(error),
        })?;
        let output = read(child.stdout.take(), limit + 1);
        let complaint = read(child.stderr.take(), 4 << 10);
        Ok(Running { child, output, complaint, limit })
    }

    /// What it printed, if it succeeded before the deadline.
    fn finish(mut self, deadline: Instant) -> Result<Vec<u8>, GitError> {
        let rest = || deadline.saturating_duration_since(Instant::now());
        let receive = |from: &Receiver<io::Result<Vec<u8>>>| match from.recv_timeout(rest()) {
            Ok(bytes) => bytes.map_err(GitError::Broken),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(GitError::Late),
        };
        let output: Vec<u8> = receive(&self.output)?;
        if output.len() > self.limit {
            return Err(GitError::TooLong { limit: self.limit });
        }
        // Its output is closed, so it ends at once or never.
        loop {
            match self.child.try_wait().map_err(GitError::Broken)? {
                Some(status) if status.success() => return Ok(output),
                Some(status) => {
                    let complaint = receive(&self.complaint).unwrap_or_default();
                    let dubious = String::from_utf8_lossy(&complaint).contains("dubious ownership");
                    return Err(match status.code() {
                        _ if dubious => GitError::NotOwned,
                        Some(code) => GitError::Refused { code },
                        None => GitError::Killed,
                    });
                }
                None if rest().is_zero() => return Err(GitError::Late),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for one that has ended, which is all the same. Without the wait the child would
        // stay a zombie as long as the notebook lives.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe in a thread of its own, which ends when the pipe does, and gives its first `limit`
/// bytes.
fn read(pipe: Option<impl Read + Send + 'static>, limit: usize) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = pipe {
        // If there is no thread to be had, the channel is closed, which reads as "late".
        let _ = std::thread::Builder::new().name("trainbook-git".into()).spawn(move || {
            let (mut pipe, mut bytes) = (pipe.take(limit as u64), Vec::new());
            let outcome = pipe.read_to_end(&mut bytes).map(|_| bytes);
            // Nobody listens any more when it was given up.
            let _ = sender.send(outcome);
            // A long complaint must not kill git before it gives its exit code. What is too long is
            // killed by whoever waits.
            let _ = io::copy(&mut pipe.into_inner(), &mut io::sink());
        });
    }
    receiver
}

#[cfg(test)]
mod tests;
