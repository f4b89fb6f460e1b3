//! Words for commands that the user can type as they are printed.

use std::path::{Component, Path, PathBuf};

/// This program as the user called it: by its bare name where the shell found it, else by its path.
pub fn program() -> String {
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "trainbook".into()));
    if called.components().count() == 1 { quoted(&called) } else { path(&called) }
}

/// A path, relative to the current folder where that is shorter.
pub fn path(path: &Path) -> String {
    let short = std::env::current_dir().ok().and_then(|here| relative(path, &here));
    quoted(
        short
            .as_deref()
            .filter(|short| short.as_os_str().len() < path.as_os_str().len())
            .unwrap_or(path),
    )
}

/// An absolute path as seen from an absolute folder. Both without links and dots, else there may be
/// none.
fn relative(path: &Path, here: &Path) -> Option<PathBuf> {
    let plain = |path: &Path| {
        path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
    };
    if !plain(path) || !plain(here) {
        return None;
    }
    let (ups, base) = here.ancestors().enumerate().find(|(_, folder)| path.starts_with(folder))?;
    let below = path.strip_prefix(base).ok()?;
    let short: PathBuf =
        std::iter::repeat_n(Component::ParentDir, ups).chain(below.components()).collect();
    // A bare name would be looked for in PATH, or be taken for an option.
    Some(if ups == 0 && below.components().count() <= 1 {
        Path::new(".").join(short)
    } else {
        short
    })
}

/// In single quotes where a shell would see more than one plain word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_folder() {
        let from = |path: &str, here: &str| relative(Path::new(path), Path::new(here));
        assert_eq!(from("/a/b/target/x", "/a/b"), Some("target/x".into()));
        assert_eq!(from("/a/b/target/x", "/a/b/c/d"), Some("../../target/x".into()));
        assert_eq!(from("/a/x", "/a"), Some("./x".into()));
        assert_eq!(from("/a/b", "/a/b/c"), Some("..".into()));
        assert_eq!(from("/elsewhere", "/a"), Some("../elsewhere".into()));
        assert_eq!(from("x", "/a"), None);
        assert_eq!(from("/a/../x", "/a"), None);
    }

    #[test]
    fn a_word_with_anything_special_is_quoted() {
        assert_eq!(quoted(Path::new("a/b-c.onnx")), "a/b-c.onnx");
        assert_eq!(quoted(Path::new("a b")), "'a b'");
        assert_eq!(quoted(Path::new("it's $1")), r"'it'\''s $1'");
        assert_eq!(quoted(Path::new("")), "''");
    }
}
