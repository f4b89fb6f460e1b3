//! A kernel that begins with what was compiled ahead compiles nothing of it again: a stand-in for
//! evcxr calls the real cargo as evcxr does, for a small copy of the toolkit's crates.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use trainbook_kernel::Folders;
use trainbook_kernel::install::{Install, install};
use trainbook_kernel::launch::{Launch, run};

/// Kernels have another path of the same compiler, as rustup has in folders that name a toolchain.
const STAND_IN: &str = r#"#!/bin/sh
set -e
rustc=$(rustup which rustc 2>/dev/null || command -v rustc)
host=$($rustc -vV | sed -n 's/^host: //p')
here=$PWD
if [ -n "$ONCE" ]; then
    ln -sf "$rustc" "$here/another-name"
    rustc=$here/another-name
fi
mkdir -p "$EVCXR_TMPDIR/src"
cd "$EVCXR_TMPDIR"
cat > Cargo.toml <<EOF
[package]
name = "ctx"
version = "1.0.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[profile.dev]
debug = false
incremental = true
[dependencies]
$(sed -n 's/.*:dep \(trainbook-notebook = [^\\]*{ path = \)\\"\([^\\]*\)\\".*/\1"\2" }/p' "$EVCXR_CONFIG_DIR/evcxr.toml")
EOF
echo "pub fn cell() -> usize { trainbook_notebook::count() } // $$" > src/lib.rs
CARGO_TARGET_DIR=target RUSTC=$rustc RUSTFLAGS=-Cprefer-dynamic \
    cargo build --offline --target "$host" 2>&1 | tee "$LOG" >&2
find target -name 'libctx.so' > "$LOG.built"
touch "$here/ready"
[ -z "$ONCE" ] || exit 0
while :; do sleep 0.05; done
"#;

const SOURCES: [(&str, &str); 8] = [
    (
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"store\", \"toolkit/core\", \"toolkit/notebook\"]\n",
    ),
    (
        "store/Cargo.toml",
        "[package]\nname = \"trainbook-store\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    ("store/build.rs", include_str!("../../../store/build.rs")),
    ("store/src/lib.rs", "pub const RUSTC: &str = env!(\"TRAINBOOK_RUSTC\");\n"),
    (
        "toolkit/core/Cargo.toml",
        "[package]\nname = \"trainbook\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\ntrainbook-store = { path = \"../../store\" }\n",
    ),
    ("toolkit/core/src/lib.rs", "pub fn count() -> usize { trainbook_store::RUSTC.len() }\n"),
    (
        "toolkit/notebook/Cargo.toml",
        "[package]\nname = \"trainbook-notebook\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"dylib\"]\n[dependencies]\ntrainbook = { path = \"../core\" }\n",
    ),
    ("toolkit/notebook/src/lib.rs", "pub use trainbook::*;\n"),
];

/// One test, because it is one process's environment.
#[test]
fn cargo_finds_what_was_compiled_ahead_fresh_wherever_the_notebook_is() {
    if std::env::var_os("TRAINBOOK_TEST_FRESH").is_none() {
        return again_with_an_environment();
    }
    let root = PathBuf::from(std::env::var_os("TRAINBOOK_TEST_FRESH").unwrap());
    let folders = Folders::new(root.join("cache"), root.join("jupyter"));
    let evcxr = Some(root.join("evcxr"));
    if std::env::var_os("ONCE").is_none() {
        let sources = root.join("sources");
        let (program, features) = (PathBuf::from("/opt/trainbook"), Vec::new());
        let wanted = Install { folders, sources, features, program, evcxr, force: false };
        install(&wanted, &mut |_| {}).unwrap();
    } else {
        let connection_file = root.join("connection.json");
        let code =
            run(&Launch { connection_file, evcxr, folders }, &mut |line| eprintln!("{line}"));
        assert_eq!(code.unwrap(), 0);
    }
}

fn again_with_an_environment() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    for (name, text) in SOURCES {
        let path = root.join("sources").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let evcxr = root.join("evcxr");
    fs::write(&evcxr, STAND_IN).unwrap();
    fs::set_permissions(&evcxr, fs::Permissions::from_mode(0o755)).unwrap();
    let cargo = |arguments: &[&str]| {
        let mut cargo = std::process::Command::new("cargo");
        assert!(
            cargo.args(arguments).current_dir(root.join("sources")).status().unwrap().success()
        );
    };
    cargo(&["generate-lockfile", "--offline"]);

    let ahead = play(&root, &root.join("sources"), None);
    assert!(ahead.contains("Compiling trainbook-store"), "{ahead}");
    // Twice: what a kernel builds must not change what the next one begins with.
    for _ in 0..2 {
        let kernel = play(&root, &root, Some("1"));
        assert!(kernel.contains("Compiling ctx"), "{kernel}");
        assert!(!kernel.contains("Compiling trainbook"), "{kernel}");
        assert!(kernel.contains("Finished"), "{kernel}");
    }
}

/// Plays one part in a process of its own, from this folder; what cargo said.
fn play(root: &Path, here: &Path, once: Option<&str>) -> String {
    let log = root.join("log");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["cargo_finds_what_was_compiled_ahead_fresh_wherever_the_notebook_is", "--exact"])
        .env("TRAINBOOK_TEST_FRESH", root)
        .env("SOURCES", root.join("sources"))
        .env("LOG", &log)
        .current_dir(here);
    command.envs(once.map(|once| ("ONCE", once)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    fs::read_to_string(log).unwrap()
}
