//! Machines with planted faults: each is found, with its fix, and nothing else is broken.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::seed::tests as seeds;
use crate::{evcxr as program, spec};

/// A machine on which everything is as it should be, but for what a test plants.
struct Planted {
    root: tempfile::TempDir,
    folders: Folders,
    toolchain: Toolchain,
    room: u64,
    store: StoreHealth,
    onnx: Result<String, String>,
    driver: bool,
    cuda: bool,
    packages: Result<Vec<Option<String>>, String>,
}

impl Planted {
    fn healthy() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (folders, _) = seeds::plant(root.path());
        let sysroot = root.path().join("rust");
        fs::create_dir_all(sysroot.join("lib/rustlib/src/rust/library")).unwrap();
        let own = program::own(&folders);
        program::tests::planted(own.parent().unwrap().parent().unwrap(), program::VERSION);
        let command = root.path().join("trainbook");
        fs::write(&command, "").unwrap();
        spec::Spec::of(&command, None).unwrap().install(&folders).unwrap();
        let path = root.path().join(".trainbook");
        Self {
            folders,
            toolchain: Toolchain { sysroot, ..seeds::toolchain() },
            room: 100 << 30,
            store: StoreHealth::Healthy { path, runs: 3 },
            onnx: Ok("1.24.0".to_owned()),
            driver: false,
            cuda: false,
            packages: Ok(vec![Some("4.5.0".to_owned()), Some("6.0.0".to_owned())]),
            root,
        }
    }

    fn report(&self) -> Report {
        let here = self.root.path().to_owned();
        examine(&Machine { folders: self.folders.clone(), here, probe: self })
    }

    /// The one finding that is not as it should be.
    fn only(&self, level: Level) -> (String, String) {
        let report = self.report();
        let bad: Vec<_> =
            report.findings.iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(bad.len(), 1, "{report}");
        assert_eq!(bad[0].level, level, "{report}");
        assert_eq!(report.is_broken(), level == Level::Broken);
        (bad[0].found.clone(), bad[0].fix.clone().unwrap())
    }
}

impl Probe for Planted {
    fn onnx_runtime(&self) -> Result<String, String> {
        self.onnx.clone()
    }

    fn store(&self) -> StoreHealth {
        self.store.clone()
    }

    fn toolchain(&self, _: &Path) -> Result<Toolchain, Error> {
        Ok(self.toolchain.clone())
    }

    fn room(&self, _: &Path) -> io::Result<u64> {
        Ok(self.room)
    }

    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn shared_library(&self, name: &str) -> Option<PathBuf> {
        self.cuda.then(|| Path::new("/usr/lib").join(name))
    }

    fn text(&self, path: &Path) -> Option<String> {
        let version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54\nGCC".to_owned();
        (self.driver && path == Path::new("/proc/driver/nvidia/version")).then_some(version)
    }

    fn python_packages(&self, _: &[&str]) -> Result<Vec<Option<String>>, String> {
        self.packages.clone()
    }
}

#[test]
fn a_healthy_machine_has_nothing_wrong() {
    let report = Planted::healthy().report();
    assert!(report.findings.iter().all(|finding| finding.level == Level::Ok), "{report}");
    assert!(report.to_string().ends_with("\nnothing is broken\n"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["level"], "ok");
    assert_eq!(json["findings"][0]["fix"], serde_json::Value::Null);
}

#[test]
fn a_spec_that_is_gone_torn_or_names_a_program_that_is_gone() {
    let planted = Planted::healthy();
    let command = planted.root.path().join("trainbook");
    fs::remove_file(&command).unwrap();
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("which is not there"), "{found}");
    assert_eq!(fix, "trainbook kernel install");
    fs::write(&command, "").unwrap();

    let path = spec::path(&planted.folders);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(planted.only(Level::Broken).0.contains("is damaged: EOF"));
    fs::write(&path, text.replace("signal", "message")).unwrap();
    assert!(planted.only(Level::Broken).0.contains("loses all variables"));
    fs::write(&path, text.replace("\"run\"", "\"walk\"")).unwrap();
    assert!(planted.only(Level::Broken).0.contains("does not call `kernel run`"));
    fs::remove_file(&path).unwrap();
    assert!(planted.only(Level::Broken).0.contains("does not know"));
}

#[test]
fn an_evcxr_that_the_spec_names_is_the_one_that_counts() {
    let planted = Planted::healthy();
    let (command, named) = (planted.root.path().join("trainbook"), planted.root.path().join("own"));
    let spec = spec::Spec::of(&command, Some(&named)).unwrap();
    spec.install(&planted.folders).unwrap();
    assert!(planted.only(Level::Broken).0.contains("own: it is not there"));
    fs::write(&named, "").unwrap();
    let report = planted.report();
    assert!(!report.is_broken() && report.to_string().contains("own, which was named"), "{report}");
}

#[test]
fn another_compiler_under_the_same_name() {
    let mut planted = Planted::healthy();
    planted.toolchain.version = planted.toolchain.version.replace("2026-04-01", "2026-05-01");
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("is another compiler than"), "{found}");
    assert_eq!(fix, "trainbook kernel install");
}

#[test]
fn an_evcxr_of_another_version_or_none() {
    let planted = Planted::healthy();
    let own = program::own(&planted.folders);
    program::tests::planted(own.parent().unwrap().parent().unwrap(), "0.21.0");
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("is of version 0.21.0, not 0.22.0"), "{found}");
    assert!(fix.ends_with("trainbook kernel install"), "{fix}");
    fs::remove_file(own).unwrap();
    assert!(planted.only(Level::Broken).0.contains("neither in the cache nor on the PATH"));
}

#[test]
fn a_toolchain_without_sources() {
    let planted = Planted::healthy();
    fs::remove_dir_all(planted.root.path().join("rust")).unwrap();
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("rustc 1.95.0"), "{found}");
    let wanted = "rustup component add rust-src --toolchain 1.95.0-x86_64-unknown-linux-gnu";
    assert_eq!(fix, wanted);
}

#[test]
fn a_library_that_is_damaged_out_of_date_or_not_there() {
    let planted = Planted::healthy();
    let seeds = planted.folders.seeds();
    let key = fs::read_to_string(seeds.join("current")).unwrap();
    let file = seeds.join(key).join("work/Cargo.toml");
    fs::remove_file(&file).unwrap();
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("is damaged: it has 1 files"), "{found}");
    assert_eq!(fix, "trainbook kernel install --force");
    fs::write(&file, "[package]").unwrap();

    let source = planted.root.path().join("sources/store/src/lib.rs");
    fs::write(source, "other").unwrap();
    assert!(planted.only(Level::Broken).0.contains("have changed"));
    fs::remove_file(seeds.join("current")).unwrap();
    assert!(planted.only(Level::Broken).0.contains("nothing is compiled ahead"));
}

#[test]
fn leftovers_of_a_dead_kernel_break_nothing() {
    let planted = Planted::healthy();
    fs::create_dir_all(planted.folders.kernels().join("77-a/work")).unwrap();
    fs::write(planted.folders.kernels().join("77-a.lock"), "").unwrap();
    let (found, fix) = planted.only(Level::Note);
    assert!(found.contains("1 killed ones: 77-a"), "{found}");
    assert!(fix.contains("next kernel"), "{fix}");
    // Looking removes nothing.
    assert!(planted.folders.kernels().join("77-a/work").exists());
}

#[test]
fn a_disk_that_is_full() {
    let mut planted = Planted::healthy();
    planted.room = 100 << 20;
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("104 MB free"), "{found}");
    assert!(fix.contains("XDG_CACHE_HOME"), "{fix}");
    planted.room = 1 << 30;
    assert!(!planted.report().is_broken());
    // An installation needs more than another kernel.
    fs::remove_file(planted.folders.seeds().join("current")).unwrap();
    let broken = planted.report().findings.into_iter().filter(|one| one.level == Level::Broken);
    assert_eq!(broken.map(|one| one.check).collect::<Vec<_>>(), ["library", "disk"]);
}

#[test]
fn a_store_that_is_locked_damaged_or_unreadable() {
    let mut planted = Planted::healthy();
    let path = PathBuf::from("/w/.trainbook");
    planted.store = StoreHealth::Unreadable {
        path: path.clone(),
        reason: "denied".to_owned(),
        fix: "chown".to_owned(),
    };
    let (found, fix) = planted.only(Level::Broken);
    assert!(found.contains("/w/.trainbook cannot be read: denied"), "{found}");
    assert_eq!(fix, "chown");
    planted.store = StoreHealth::BadIndex { path: path.clone(), reason: "torn".to_owned() };
    assert!(planted.only(Level::Broken).1.contains("store rebuild"));
    let runs = vec![("20260101-000000".to_owned(), "cut at byte 12".to_owned())];
    planted.store = StoreHealth::Damaged { path: path.clone(), runs };
    assert!(planted.only(Level::Broken).0.contains("20260101-000000 (cut at byte 12)"));
    let reason = "process 7 holds it".to_owned();
    planted.store = StoreHealth::IndexUnavailable { path, reason };
    assert!(planted.only(Level::Note).0.contains("process 7 holds it"));
    planted.store = StoreHealth::None;
    assert!(!planted.report().is_broken());
}

#[test]
fn half_a_driver_no_runtime_and_no_python() {
    let mut planted = Planted::healthy();
    planted.driver = true;
    assert!(planted.only(Level::Broken).0.contains("libcuda.so.1"));
    planted.cuda = true;
    assert!(!planted.report().is_broken());
    planted.driver = false;
    assert!(planted.only(Level::Note).0.contains("no NVIDIA driver is loaded"));
    planted.cuda = false;

    planted.onnx = Err("there is none that serves".to_owned());
    assert_eq!(planted.only(Level::Broken).1, "trainbook ort install");
    planted.onnx = Ok("1.24.0".to_owned());

    planted.packages = Ok(vec![Some("4.5.0".to_owned()), None]);
    assert_eq!(planted.only(Level::Note).1, "python3 -m pip install plotly");
    planted.packages = Err("python3 does not start: not found".to_owned());
    assert!(planted.only(Level::Note).0.contains("does not start"));
}
