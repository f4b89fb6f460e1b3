//! The `trainbook` command as a user meets it: started as a process, judged by what it prints,
//! returns and leaves behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod board;
mod clean;
mod compare;
mod demo;
mod diff;
mod export;
mod follow;
mod inspect;
mod onnx;
mod pipes;
mod place;
mod processes;
mod pull;
mod rebuilt;
mod refusals;
mod resumed;
mod runtimes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for a test, in which every command of it runs.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command, ready to start here.
    fn trainbook(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainbook"));
        command
            .current_dir(self.folder.path())
            .args(args)
            .env_remove("RUST_BACKTRACE")
            .env_remove("TRAINBOOK_STORE");
        command
    }

    /// What a command that must succeed prints.
    fn text(&self, args: &[&str]) -> String {
        text(self.trainbook(args))
    }

    /// The JSON document that a command that must succeed prints.
    fn json(&self, args: &[&str]) -> Value {
        json(&self.text(args))
    }

    /// Asserts that the command refuses in one line that holds all of `words`, prints nothing else
    /// and leaves nothing behind.
    fn refuses(&self, args: &[&str], words: &[&str]) {
        self.refuses_as(self.trainbook(args), words);
    }

    fn refuses_as(&self, mut command: Command, words: &[&str]) {
        let before = files(self.folder.path());
        let output = command.output().unwrap();
        let shown = format!("{command:?}: {output:?}");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{shown}");
        assert!(output.stdout.is_empty(), "{shown}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.starts_with("error: ") && error.ends_with('\n') && error.lines().count() == 1,
            "{shown}"
        );
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
        assert_eq!(files(self.folder.path()), before, "{shown}");
    }
}

fn text(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(succeeded(&output), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Without a word of complaint.
fn succeeded(output: &Output) -> bool {
    output.status.success() && output.stderr.is_empty()
}

/// Fails on anything before or after the document.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every file and folder with its size. A store's index is left out, because reading may bring it
/// up to date.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() == "index" {
                continue;
            }
            found.extend(files(&path));
        }
        let size = if path.is_dir() { 0 } else { path.metadata().unwrap().len() };
        found.insert(path, size);
    }
    found.retain(|path, _| path.file_name().unwrap() != "index.lock");
    found
}

/// Rows that the demo takes: 64 pixels from 0 to 16 that look noisily like their class, and the
/// class from 0 to 9.
fn digits_like(rows: usize) -> String {
    let mut state = 1_u64;
    let mut csv = String::new();
    for row in 0..rows {
        let class = row % 10;
        for pixel in 0..64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 33) % 9;
            let ink = if (pixel * 7 + class * 13) % 10 < 3 { 8 } else { 0 };
            write!(csv, "{},", noise + ink).unwrap();
        }
        writeln!(csv, "{class}").unwrap();
    }
    csv
}

/// `csv` with one field replaced; lines and fields are counted from 0.
fn with_field(csv: &str, line: usize, field: usize, value: &str) -> String {
    let edit = |(at, text): (usize, &str)| {
        let mut fields: Vec<_> = text.split(',').collect();
        if at == line {
            fields[field] = value;
        }
        fields.join(",") + "\n"
    };
    csv.lines().enumerate().map(edit).collect()
}

fn shipped_digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notebooks/data/digits.csv.gz")
}
