//! Where ONNX Runtime is looked for, and what happens when it is not there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::runtime::{Inputs, search};
use super::super::{Found, Source, find, load};
use super::Folder;
use crate::Error;

fn put(folder: &Folder, path: &str) -> PathBuf {
    let path = folder.0.path().canonicalize().unwrap().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    path
}

fn library(version: &str) -> String {
    if cfg!(target_os = "macos") {
        format!("libonnxruntime.{version}.dylib")
    } else {
        format!("libonnxruntime.so.{version}")
    }
}

/// A machine in a folder: a project in `project`, the user's cache in `xdg`, an environment in
/// `venv`, `python3` in `usr/bin`.
struct Machine {
    folder: Folder,
    variables: BTreeMap<&'static str, OsString>,
    /// Where Python says that it has the package.
    package: Option<PathBuf>,
    /// How often it was asked.
    asked: Cell<usize>,
    system: Result<PathBuf, String>,
}

impl Machine {
    fn new() -> Self {
        let folder = Folder::new();
        let root = folder.0.path().canonicalize().unwrap();
        put(&folder, "usr/bin/python3");
        fs::create_dir_all(root.join("project/a/b")).unwrap();
        let variables = [
            ("XDG_CACHE_HOME", "xdg"),
            ("HOME", "home"),
            ("VIRTUAL_ENV", "venv"),
            ("PATH", "usr/bin"),
        ];
        Self {
            variables: variables.map(|(name, path)| (name, root.join(path).into())).into(),
            folder,
            package: None,
            asked: Cell::new(0),
            system: Err("no such file".into()),
        }
    }

    /// An empty library in a folder of the machine.
    fn put(&self, folder: &str, version: &str) -> PathBuf {
        put(&self.folder, &format!("{folder}/{}", library(version)))
    }

    fn search(&self, explicit: Option<&Path>) -> Result<Found, Error> {
        search(&Inputs {
            explicit,
            variables: &|name| self.variables.get(name).cloned(),
            starts: &[self.folder.0.path().join("project/a/b")],
            python: &|_| {
                self.asked.set(self.asked.get() + 1);
                Ok(self.package.clone())
            },
            system: &|| self.system.clone(),
        })
    }
}

const PROJECT: &str = "project/.cache/onnxruntime-1.32.0";
const USER: &str = "xdg/trainbook/onnxruntime-1.31.0";
const VENV: &str = "venv/lib/python3.12/site-packages/onnxruntime/capi";
const DISTRIBUTION: &str = "usr/lib64/python3/dist-packages/onnxruntime/capi";
const PACKAGE: &str = "elsewhere/onnxruntime";

#[test]
fn the_order_is_explicit_variable_project_user_python_system() {
    let mut machine = Machine::new();
    let explicit = machine.put("", "1.40.0");
    let named = machine.put("", "1.41.0");
    machine.put("project/.cache/onnxruntime-1.9.0", "1.9.0");
    put(&machine.folder, "project/.cache/onnxruntime-1.33.0/other.so");
    machine.put("project/.cache/python", "9.9.9");
    let places = [
        (Source::ProjectCache, machine.put(PROJECT, "1.32.0")),
        (Source::UserCache, machine.put(USER, "1.31.0")),
        (Source::Python, machine.put(VENV, "1.35.0")),
        (Source::Python, machine.put(DISTRIBUTION, "1.36.0")),
        (Source::Python, machine.put(&format!("{PACKAGE}/capi"), "1.37.0")),
    ];
    machine.package = Some(machine.folder.0.path().join(PACKAGE));
    machine.system = Ok("/system.so".into());

    machine.variables.insert("ORT_DYLIB_PATH", named.clone().into());
    let found = machine.search(Some(&explicit)).unwrap();
    assert_eq!((found.source, found.path, found.passed.len()), (Source::Explicit, explicit, 0));
    let found = machine.search(None).unwrap();
    assert_eq!((found.source, found.path, found.passed.len()), (Source::Variable, named, 1));
    machine.variables.insert("ORT_DYLIB_PATH", "".into());
    for (source, path) in places {
        let found = machine.search(None).unwrap();
        assert_eq!((found.source, found.path.as_path()), (source, path.as_path()));
        // Python is started only where nothing else helps.
        assert_eq!(
            machine.asked.get(),
            usize::from(path.to_string_lossy().contains(PACKAGE)),
            "{}",
            path.display()
        );
        // What was looked at before is told, in order.
        let passed: Vec<_> = found.passed.iter().map(|passed| passed.source).collect();
        assert_eq!(passed, Source::ALL[..passed.len()]);
        assert_eq!(Source::ALL[passed.len()], source);
        fs::remove_file(path).unwrap();
    }
    let found = machine.search(None).unwrap();
    assert_eq!(
        (found.source, found.path, found.passed.len()),
        (Source::System, "/system.so".into(), 5)
    );
    machine.system = Err("no such file".into());
    let error = machine.search(None).unwrap_err().to_string();
    for words in [
        "ORT_DYLIB_PATH: not set",
        "the user's cache: no ",
        "/elsewhere/onnxruntime/capi",
        "the system: no such file",
    ] {
        assert!(error.contains(words), "{words:?} is not in {error}");
    }
    assert!(error.contains("`trainbook ort install`") && !error.contains('\n'), "{error}");
}

#[test]
fn the_users_cache_is_below_xdg_cache_home_else_home() {
    let mut machine = Machine::new();
    let usual = if cfg!(target_os = "macos") {
        "home/Library/Caches/trainbook"
    } else {
        "home/.cache/trainbook"
    };
    let home = machine.put(&format!("{usual}/onnxruntime-1.32.0"), "1.32.0");
    let xdg = machine.put(USER, "1.31.0");
    assert_eq!(machine.search(None).unwrap().path, xdg);
    for value in ["", "relative"] {
        machine.variables.insert("XDG_CACHE_HOME", value.into());
        assert_eq!(machine.search(None).unwrap().path, home, "{value:?}");
    }
    machine.variables.remove("HOME");
    let error = machine.search(None).unwrap_err().to_string();
    assert!(error.contains("neither HOME nor XDG_CACHE_HOME"), "{error}");
}

#[test]
fn a_version_too_old_is_passed_over_but_told() {
    let mut machine = Machine::new();
    machine.package = Some(machine.folder.0.path().join(PACKAGE));
    let mut old = Vec::new();
    let package = format!("{PACKAGE}/capi");
    let places = [
        (PROJECT, Source::ProjectCache, "1.23.2", "1.24.0"),
        (USER, Source::UserCache, "1.20.0", "1.24.1"),
        (VENV, Source::Python, "0.99.0", "1.100.0"),
        (DISTRIBUTION, Source::Python, "1.17.3", "2.0.0"),
        (&package, Source::Python, "1.9.0", "1.25.0"),
    ];
    for (folder, source, too_old, new_enough) in places {
        let good = machine.put(folder, new_enough);
        let found = machine.search(None).unwrap();
        assert_eq!((found.source, &found.path), (source, &good));
        let told = format!("{:?}", found.passed);
        // Those of the same place are told only if none of them serves.
        for (_, old) in old.iter().filter(|(from, _)| *from != source) {
            assert!(told.contains(old), "{old:?} is not in {told}");
        }
        fs::remove_file(good).unwrap();
        machine.put(folder, too_old);
        old.push((
            source,
            format!("{} is version {too_old}; at least 1.24 is needed", library(too_old)),
        ));
    }
    let error = machine.search(None).unwrap_err().to_string();
    for (_, old) in &old {
        assert!(error.contains(old), "{old:?} is not in {error}");
    }
}

#[test]
fn a_version_is_read_from_the_folder_where_the_file_has_none() {
    let machine = Machine::new();
    let name = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
    put(&machine.folder, &format!("project/.cache/onnxruntime-1.20.0/{name}"));
    let error = machine.search(None).unwrap_err().to_string();
    assert!(error.contains("is version 1.20.0"), "{error}");
    let good = put(&machine.folder, &format!("project/.cache/onnxruntime-1.30.0/{name}"));
    assert_eq!(machine.search(None).unwrap().path, good);
}

/// Otherwise the same library, named twice, would be two.
#[cfg(unix)]
#[test]
fn what_is_found_has_no_links_in_its_path() {
    let machine = Machine::new();
    let real = machine.put("real/onnxruntime-1.32.0", "1.32.0");
    let link = machine.folder.0.path().join("project/.cache");
    std::os::unix::fs::symlink(real.parent().unwrap().parent().unwrap(), &link).unwrap();
    assert_eq!(machine.search(None).unwrap().path, real);
    let by_link = link.join("onnxruntime-1.32.0").join(library("1.32.0"));
    assert_eq!(machine.search(Some(&by_link)).unwrap().path, real);
}

#[test]
fn a_named_library_that_is_missing_is_not_replaced() {
    let mut machine = Machine::new();
    machine.put(PROJECT, "1.32.0");
    machine.variables.insert("ORT_DYLIB_PATH", "/no/such/lib.so".into());
    let by_variable = machine.search(None).unwrap_err().to_string();
    assert!(by_variable.contains("ORT_DYLIB_PATH=/no/such/lib.so"), "{by_variable}");
    assert!(by_variable.contains("trainbook ort install"), "{by_variable}");
    let explicit = machine.search(Some(Path::new("/no/such/lib.so"))).unwrap_err();
    assert!(matches!(explicit, Error::Runtime(_)), "{explicit}");
    let not_a_file = machine.search(Some(machine.folder.0.path())).unwrap_err().to_string();
    assert!(not_a_file.contains("is not a file"), "{not_a_file}");
}

/// In one test, because a process keeps what it loaded: first everything that fails, then what
/// works.
#[test]
fn a_process_loads_one_runtime() {
    let folder = Folder::new();
    let other = put(&folder, "libother.so");
    if std::env::var_os("NEXTEST").is_some() {
        // Alone in its process: nothing is loaded yet.
        let no_library = put(&folder, "text.so");
        fs::write(&no_library, "this is no library").unwrap();
        let error = load(Some(&no_library)).unwrap_err().to_string();
        assert!(
            error.contains("text.so")
                && error.contains("(from the path given)")
                && !error.contains('\n'),
            "{error}"
        );
        println!("{error}");
        let error = load(Some(&other)).unwrap_err().to_string();
        assert!(error.contains("libother.so"), "{error}");
        let libc = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/libc.so.6",
            "/lib/aarch64-linux-gnu/libc.so.6",
        ];
        if let Some(libc) = libc.iter().map(Path::new).find(|path| path.exists()) {
            let error = load(Some(libc)).unwrap_err().to_string();
            assert!(error.contains("is not an ONNX Runtime"), "{error}");
        }
    }
    let found = find(None).unwrap();
    let runtime = load(None).unwrap();
    assert_eq!((runtime.path(), runtime.version().split('.').count()), (found.path.as_path(), 3));
    assert_eq!((runtime.source(), runtime.passed()), (found.source, found.passed.as_slice()));
    assert_eq!(load(Some(&found.path)).unwrap().path(), found.path);
    let error = load(Some(&other)).unwrap_err().to_string();
    assert!(error.contains("already loaded"), "{error}");
}
