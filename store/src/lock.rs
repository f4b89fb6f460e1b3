//! Lock files, which say who holds them.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long it takes to look again whether a lock is free.
const PAUSE: Duration = Duration::from_millis(2);

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    /// Whether the file names this process.
    named: bool,
}

/// Why a lock could not be had.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it, and had it all the time.
    Held(Holder),
    /// The file system refuses.
    Io(io::Error),
}

/// Who holds a lock, as far as the lock file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    process: Option<u32>,
}

impl LockFile {
    /// Takes the lock at `path` for this process alone. Waits no longer than `patience`.
    pub(crate) fn exclusive(path: &Path, patience: Duration) -> Result<LockFile, LockError> {
        let mut file = open(path)?;
        wait(patience, || file.try_lock()).map_err(|error| or_holder(error, path))?;
        // For whoever finds it held. If this cannot be written, they are told less.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        Ok(LockFile { file, named: true })
    }

    /// Takes the lock at `path` together with everyone who takes it so. Waits no longer than
    /// `patience`.
    pub(crate) fn shared(path: &Path, patience: Duration) -> Result<LockFile, LockError> {
        let file = open(path)?;
        wait(patience, || file.try_lock_shared()).map_err(|error| or_holder(error, path))?;
        Ok(LockFile { file, named: false })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.named {
            // Those who take it together do not write their names, and must not be taken for this
            // process.
            let _ = self.file.set_len(0);
        }
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(LockError::Io)
}

/// Repeats an attempt to lock until it works or `patience` is over.
pub(crate) fn wait(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<(), TryLockError>,
) -> Result<(), TryLockError> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(TryLockError::WouldBlock) if started.elapsed() < patience => {
                std::thread::sleep(PAUSE)
            }
            answer => return answer,
        }
    }
}

fn or_holder(error: TryLockError, path: &Path) -> LockError {
    match error {
        TryLockError::Error(error) => LockError::Io(error),
        TryLockError::WouldBlock => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            // One that was killed leaves its name behind.
            LockError::Held(Holder {
                process: text.trim().parse().ok().filter(|process| is_there(*process)),
            })
        }
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held(holder) => write!(f, "{holder} holds it"),
            LockError::Io(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) if is_stopped(process) => {
                write!(
                    f,
                    "process {process}, which is stopped (continue it with `kill -CONT {process}`, or end it),"
                )
            }
            Some(process) => write!(f, "process {process}"),
            None => f.write_str("another process"),
        }
    }
}

/// Whether there is such a process on this machine; `true` where the system does not tell.
fn is_there(process: u32) -> bool {
    !Path::new("/proc/self").exists() || Path::new(&format!("/proc/{process}")).exists()
}

/// Whether a process of this machine was stopped by a signal; `false` where the system does not
/// tell.
pub(crate) fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before the state is in parentheses and may hold any character.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = LockFile::exclusive(&path, Duration::ZERO).unwrap();
        let error = LockFile::exclusive(&path, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.to_string(), format!("process {} holds it", std::process::id()));
        drop(held);
        LockFile::exclusive(&path, Duration::ZERO).unwrap();
        let shared = LockFile::shared(&path, Duration::ZERO).unwrap();
        // 4,194,304 is the most that a process id can be.
        for left_behind in ["", "nonsense", "4194305"] {
            if !left_behind.is_empty() {
                std::fs::write(&path, left_behind).unwrap();
            }
            let error = LockFile::exclusive(&path, Duration::ZERO).unwrap_err();
            assert_eq!(error.to_string(), "another process holds it", "{left_behind:?}");
        }
        drop(shared);
        assert!(matches!(
            LockFile::exclusive(folder.path(), Duration::ZERO),
            Err(LockError::Io(_))
        ));
    }

    #[test]
    fn this_process_is_not_stopped() {
        assert!(!is_stopped(std::process::id()));
    }
}
