//! An installation with a stand-in for evcxr: a shell script that "compiles" two crates and does
//! what the kernel's prelude asks of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use trainbook_kernel::install::{Install, Installed, Progress, install};
use trainbook_kernel::{Error, Folders, SeedState, spec};

const STAND_IN: &str = r#"#!/bin/sh
trap 'exit 0' TERM
cat "$2" > ../../../connection.seen
cp "$EVCXR_CONFIG_DIR/evcxr.toml" ../../../toml.seen
echo "   Compiling trainbook v0.1.0 (/somewhere)" >&2
echo "   Compiling trainbook-notebook v0.1.0 (/somewhere)" >&2
if [ -e ../../../fails ]; then
    echo "error[E0433]: cannot find crate" >&2
    exit 1
fi
deps="$EVCXR_TMPDIR/target/debug/deps"
mkdir -p "$deps" "$EVCXR_TMPDIR/target/debug/incremental/x"
[ -e "$deps/old" ] && echo again >> ../../../again
echo library > "$deps/libserde-0123456789abcdef.rlib"
touch "$deps/old" "$EVCXR_TMPDIR/target/debug/incremental/x/large"
printf '[[package]]\nname = "serde"\nversion = "1.0.200"\nsource = "registry+x"\n' > "$EVCXR_TMPDIR/Cargo.lock"
# What the prelude's last line does.
touch "$PWD/ready"
while :; do sleep 0.05; done
"#;

const MANIFEST: &str = r#"
[package]
name = "trainbook-notebook"
version = "0.1.0"
edition = "2024"
[features]
cuda = []
"#;

struct Machine {
    root: tempfile::TempDir,
    wanted: Install,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let sources = folder.join("sources");
        for (name, text) in [
            ("toolkit/notebook/src/lib.rs", ""),
            ("toolkit/notebook/Cargo.toml", MANIFEST),
            ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"toolkit/notebook\"]\n"),
            ("Cargo.lock", "version = 4\n"),
        ] {
            let path = sources.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let evcxr = folder.join("evcxr");
        fs::write(&evcxr, STAND_IN).unwrap();
        fs::set_permissions(&evcxr, fs::Permissions::from_mode(0o755)).unwrap();
        let wanted = Install {
            folders: Folders::new(folder.join("cache"), folder.join("jupyter")),
            sources,
            features: vec!["cuda".to_owned()],
            program: PathBuf::from("/opt/trainbook"),
            evcxr: Some(evcxr),
            force: false,
        };
        Self { root, wanted }
    }

    fn install(&self) -> (Result<Installed, Error>, Vec<String>) {
        let mut compiled = Vec::new();
        let installed = install(&self.wanted, &mut |progress| {
            if let Progress::Compiling { number, name } = progress {
                compiled.push(format!("{number} {name}"));
            }
        });
        (installed, compiled)
    }

    fn cache(&self) -> &Path {
        self.wanted.folders.cache()
    }

    fn seen(&self, name: &str) -> String {
        // The stand-in's folder is cache/seeds/<key>.partial.
        fs::read_to_string(self.root.path().join(name)).unwrap()
    }

    fn seeds(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cache().join("seeds")).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn an_installation_compiles_once_and_again_what_has_changed() {
    let machine = Machine::new();
    let (installed, compiled) = machine.install();
    let installed = installed.unwrap();
    assert!(installed.compiled.is_some());
    assert_eq!(compiled.len(), 2);
    assert!(compiled[0].starts_with("1 trainbook v0.1.0"), "{compiled:?}");
    let mut shown = installed.clone();
    (shown.jupyter, shown.compiled) = (false, None);
    assert!(shown.to_string().contains("jupyter/bin/pip install jupyterlab"), "{shown}");
    shown.jupyter = true;
    assert!(shown.to_string().contains("next:\n  jupyter-lab\n"), "{shown}");
    let spec = spec::read(&installed.spec).unwrap();
    assert_eq!(spec.argv[0], "/opt/trainbook");
    // Kernels use the evcxr that was named.
    assert_eq!(
        spec.env["TRAINBOOK_EVCXR"],
        machine.wanted.evcxr.clone().unwrap().to_str().unwrap()
    );

    // What evcxr was told.
    let toml = machine.seen("toml.seen");
    assert!(toml.contains("!cp ") && toml.contains("-facade/library"), "{toml}");
    let connection: serde_json::Value =
        serde_json::from_str(&machine.seen("connection.seen")).unwrap();
    let port = |name: &str| connection[name].as_u64().unwrap();
    assert_ne!(port("shell_port"), port("iopub_port"));

    // What kernels find.
    let SeedState::Ready(seed) = SeedState::look(&machine.wanted.folders, true) else {
        panic!("{:?}", SeedState::look(&machine.wanted.folders, true));
    };
    let facade = fs::read_to_string(seed.facade().krate().join("Cargo.toml")).unwrap();
    assert!(facade.contains("\"=1.0.200\"") && facade.contains("[\"cuda\"]"), "{facade}");
    assert!(!seed.work().join("target/debug/incremental").exists());
    assert_eq!(
        machine.seeds().len(),
        3,
        "one seed, its facade and its name: {:?}",
        machine.seeds()
    );

    // Nothing has changed.
    let (installed, compiled) = machine.install();
    assert!(installed.unwrap().compiled.is_none());
    assert!(compiled.is_empty());

    // Something has: what is compiled is gone on with.
    let source = machine.wanted.sources.join("toolkit/notebook/src/lib.rs");
    File::options().write(true).open(source).unwrap().set_modified(SystemTime::now()).unwrap();
    assert!(matches!(SeedState::look(&machine.wanted.folders, true), SeedState::Stale(..)));
    assert!(machine.install().0.unwrap().compiled.is_some());
    assert_eq!(machine.seen("again"), "again\n");
    assert!(matches!(SeedState::look(&machine.wanted.folders, true), SeedState::Ready(_)));
}

#[test]
fn a_failed_compilation_says_what_rustc_said_and_leaves_what_was_there() {
    let mut machine = Machine::new();
    machine.install().0.unwrap();
    let before = machine.seeds();
    fs::write(machine.root.path().join("fails"), "").unwrap();
    machine.wanted.force = true;
    let error = machine.install().0.unwrap_err().to_string();
    assert!(error.contains("error[E0433]: cannot find crate"), "{error}");
    assert!(matches!(SeedState::look(&machine.wanted.folders, true), SeedState::Ready(_)));
    assert!(before.iter().all(|name| machine.seeds().contains(name)));

    fs::remove_file(machine.root.path().join("fails")).unwrap();
    machine.install().0.unwrap();
    assert_eq!(machine.seeds(), before, "no half-made one is left");
}
