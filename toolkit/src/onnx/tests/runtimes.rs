//! Where ONNX Runtime is looked for, and what happens when it is not there.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::runtime::search;
use super::super::{find, load};
use super::Folder;
use crate::Error;

fn put(folder: &Folder, path: &str) -> PathBuf {
    let path = folder.0.path().canonicalize().unwrap().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    path
}

#[test]
fn the_order_is_explicit_then_variable_then_cache() {
    let folder = Folder::new();
    let root = folder.0.path().canonicalize().unwrap();
    let explicit = put(&folder, "explicit.so");
    let named = put(&folder, "named.so");
    put(&folder, ".cache/onnxruntime-1.9.0/libonnxruntime.so.1.9.0");
    let newest = put(&folder, ".cache/onnxruntime-1.32.0/libonnxruntime.so.1.32.0");
    put(&folder, ".cache/onnxruntime-1.33.0/other.so");
    put(&folder, ".cache/python/libonnxruntime.so.9.9.9");
    let deep = [root.join("a/b/c")];
    fs::create_dir_all(&deep[0]).unwrap();
    let found = |explicit: Option<&Path>, variable: Option<&Path>| {
        search(explicit, variable.map(|path| path.as_os_str().to_owned()), &deep).unwrap()
    };
    assert_eq!(found(Some(&explicit), Some(&named)), Some(explicit.clone()));
    assert_eq!(found(None, Some(&named)), Some(named));
    assert_eq!(found(None, None), Some(newest.clone()));
    assert_eq!(found(None, Some(Path::new(""))), Some(newest));
    assert_eq!(search(None, None, &[PathBuf::from("/")]).unwrap(), None);
}

#[test]
fn a_named_library_that_is_missing_is_not_replaced() {
    let folder = Folder::new();
    put(&folder, ".cache/onnxruntime-1.32.0/libonnxruntime.so.1.32.0");
    let starts = [folder.0.path().to_owned()];
    let by_variable = search(None, Some("/no/such/lib.so".into()), &starts).unwrap_err().to_string();
    assert!(by_variable.contains("ORT_DYLIB_PATH=/no/such/lib.so"), "{by_variable}");
    assert!(by_variable.contains("cargo xtask setup"), "{by_variable}");
    let explicit = search(Some(Path::new("/no/such/lib.so")), None, &starts).unwrap_err();
    assert!(matches!(explicit, Error::Runtime(_)), "{explicit}");
    let not_a_file = search(Some(folder.0.path()), None, &starts).unwrap_err().to_string();
    assert!(not_a_file.contains("is not a file"), "{not_a_file}");
}

/// In one test, because a process keeps what it loaded: first everything that fails, then what works.
#[test]
fn a_process_loads_one_runtime() {
    let folder = Folder::new();
    let other = put(&folder, "libother.so");
    if std::env::var_os("NEXTEST").is_some() {
        // Alone in its process: nothing is loaded yet.
        let no_library = put(&folder, "text.so");
        fs::write(&no_library, "this is no library").unwrap();
        let error = load(Some(&no_library)).unwrap_err().to_string();
        assert!(error.contains("text.so") && error.contains("ORT_DYLIB_PATH") && !error.contains('\n'), "{error}");
        println!("{error}");
        let error = load(Some(&other)).unwrap_err().to_string();
        assert!(error.contains("libother.so"), "{error}");
        let libc = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"];
        if let Some(libc) = libc.iter().map(Path::new).find(|path| path.exists()) {
            let error = load(Some(libc)).unwrap_err().to_string();
            assert!(error.contains("is not an ONNX Runtime"), "{error}");
        }
    }
    let found = find(None).unwrap();
    let runtime = load(None).unwrap();
    assert_eq!((runtime.path(), runtime.version().split('.').count()), (found.as_path(), 3));
    assert_eq!(load(Some(&found)).unwrap().path(), found);
    let error = load(Some(&other)).unwrap_err().to_string();
    assert!(error.contains("already loaded"), "{error}");
}
