//! What the command writes: lines on standard output, one line about an error, and files that the
//! user named.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use trainbook::Error;
use trainbook_core::beside::folder_of;

/// Prints `value` as one JSON document, or as text.
pub fn print<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Error> {
    if json { line(&document(value)?) } else { line(text(value).trim_end()) }
}

/// A value's text, short or with all that there is.
pub fn text(value: &impl Display, all: bool) -> String {
    if all { format!("{value:#}") } else { value.to_string() }
}

/// A value as one JSON document in one line.
pub fn document<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Diagnostic {
        diagnostic: "print the result as JSON",
        reason: e.to_string(),
    })
}

/// Prints a line. A closed pipe is not an error of ours: whoever reads has seen enough.
pub fn line(text: &str) -> Result<(), Error> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Write { path: PathBuf::from("standard output"), source: e })
        }
        _ => Ok(()),
    }
}

/// Prints a line that someone else is waiting for, and says whether anyone still is.
pub fn live_line(text: &str) -> Result<bool, Error> {
    let mut output = io::stdout();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Error::Write { path: PathBuf::from("standard output"), source: e }),
    }
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// Has no note printed from here on, because the user has asked for `--quiet`.
pub fn leave_out_notes() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Prints what a person should know and a program need not. Where this fails nobody is left to
/// tell.
pub fn note(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "note: {text}");
    }
}

/// Prints an error. Where this fails nobody is left to tell.
pub fn error(text: &str) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// Whether a file can be written at `path`, found out without leaving a trace: missing folders are
/// not made yet.
pub fn check_file(path: &Path) -> Result<(), Error> {
    let refuse = |reason: String| {
        Err(Error::Write { path: path.to_owned(), source: io::Error::other(reason) })
    };
    if path.is_dir() {
        return refuse("it is a folder; name a file in it".to_owned());
    }
    let there =
        folder_of(path).ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return refuse(format!("{} is a file, not a folder; name another folder", there.display()));
    }
    // Only an attempt tells: permission bits say nothing about a read-only file system.
    match tempfile::tempfile_in(there) {
        Ok(_) => Ok(()),
        Err(e) => refuse(format!(
            "{} takes no new file ({}); name a file in a folder that you may write to",
            there.display(),
            e.kind()
        )),
    }
}

/// Makes the folder that a file is to be in.
pub fn make_folder_of(path: &Path) -> Result<(), Error> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)
        .map_err(|source| Error::Write { path: folder.to_owned(), source })
}
