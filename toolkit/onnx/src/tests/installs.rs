//! The user's cache is filled with the known library or not at all. Python is real here, pip is
//! not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::super::runtime::{Pinned, install_into};
use super::Folder;

/// The SHA-256 of "abc", from FIPS 180-4's examples.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Writes a wheel with `CONTENT` as its library, or prints `CONTENT` and fails.
const PIP: &str = "\
import os, sys, zipfile
assert sys.argv[1] == 'download' and sys.argv[-3] == 'onnxruntime==1.99.0', sys.argv
content = os.environ['CONTENT']
if content.startswith('told: '):
    sys.exit(content.removeprefix('told: '))
with zipfile.ZipFile(os.path.join(sys.argv[-1], 'x.whl'), 'w') as wheel:
    wheel.writestr(os.environ['MEMBER'], content)
";

struct Place {
    folder: Folder,
    cache: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::new();
        let pip = folder.0.path().join("python/pip");
        fs::create_dir_all(&pip).unwrap();
        fs::write(pip.join("__init__.py"), "").unwrap();
        fs::write(pip.join("__main__.py"), PIP).unwrap();
        Self { cache: folder.0.path().join("home/.cache/trainbook"), folder }
    }

    fn python(&self, content: &str) -> Command {
        let mut python = Command::new("python3");
        python
            .env("PYTHONPATH", self.folder.0.path().join("python"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        python.env("CONTENT", content).env("MEMBER", "onnxruntime/capi/lib.so.1.99.0");
        python
    }

    /// Asserts that it is refused in one line with `words`, and that the cache is as it was.
    fn refuses(&self, python: Command, words: &str) {
        let before = self.content();
        let error = install_into(&self.cache, &pinned(), python, true).unwrap_err().to_string();
        assert!(error.starts_with("install ONNX Runtime: ") && !error.contains('\n'), "{error}");
        assert!(error.contains(words), "{words:?} is not in {error}");
        assert_eq!(self.content(), before, "{error}");
        assert_eq!(self.folder.0.path().join("home").exists(), before.is_some(), "{error}");
    }

    /// The library, if there is one, and nothing else in the cache.
    fn content(&self) -> Option<String> {
        let names = |folder: &PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().count();
        let folder = self.cache.join("onnxruntime-1.99.0");
        let library = fs::read_to_string(folder.join("lib.so.1.99.0")).ok();
        let expected = usize::from(library.is_some());
        assert_eq!((names(&self.cache), names(&folder)), (expected, expected));
        library
    }
}

fn pinned() -> Pinned {
    Pinned { version: "1.99.0", platform: "any", library: "lib.so.1.99.0".into(), sha256: ABC }
}

#[test]
fn the_known_library_is_installed_once() {
    let place = Place::new();
    let install =
        |content, force| install_into(&place.cache, &pinned(), place.python(content), force);
    let installed = install("abc", false).unwrap();
    assert_eq!((installed.fetched, place.content().as_deref()), (true, Some("abc")));
    assert_eq!(fs::read_to_string(&installed.path).unwrap(), "abc");
    // Intact: Python is not even started.
    let again =
        install_into(&place.cache, &pinned(), Command::new("/no/such/python"), false).unwrap();
    assert_eq!((again.fetched, &again.path), (false, &installed.path));
    assert!(install("abc", true).unwrap().fetched);
    // Damaged: fetched anew.
    fs::write(&installed.path, "abd").unwrap();
    assert!(install("abc", false).unwrap().fetched);
    assert_eq!(place.content().as_deref(), Some("abc"));
}

#[test]
fn anything_else_leaves_the_cache_as_it_was() {
    let place = Place::new();
    for _ in 0..2 {
        place.refuses(place.python("abd"), ABC);
        place.refuses(
            place.python("told: ERROR: no such version\nERROR: nothing matches"),
            "for any: no such version",
        );
        place.refuses(
            place.python("told: connection broken by 'a wall'\nERROR: nothing"),
            "is there a network?",
        );
        let mut other_wheel = place.python("abc");
        other_wheel.env("MEMBER", "onnxruntime/capi/other.so");
        place.refuses(other_wheel, "lib.so.1.99.0");
        let mut no_pip = place.python("abc");
        no_pip.env_remove("PYTHONPATH").args(["-I", "-S"]);
        place.refuses(no_pip, "has no pip");
        place.refuses(Command::new("/no/such/python3"), "there is no python3");
        // A Python that says that all is well.
        place.refuses(Command::new("true"), "but it did not");
        // The second time there is a library, which stays.
        install_into(&place.cache, &pinned(), place.python("abc"), false).unwrap();
    }
}

/// Whoever puts the library there, only the known one gets its name.
#[cfg(unix)]
#[test]
fn a_python_that_fetches_something_else_is_not_believed() {
    let place = Place::new();
    let mut python = Command::new("sh");
    // What follows are the arguments: -c, the script, and what the script takes, the file last.
    python.args(["-c", r#"for file; do :; done; printf abd > "$file""#, "sh"]);
    place.refuses(python, "is not the known library");
}

#[test]
fn every_pinned_platform_has_a_digest() {
    for (os, arch) in [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64")] {
        let pinned = Pinned::of(os, arch).unwrap();
        assert!(
            pinned.sha256.len() == 64 && pinned.library.contains(pinned.version),
            "{os} {arch}"
        );
    }
    assert!(Pinned::of("plan9", "mips").is_none());
}
