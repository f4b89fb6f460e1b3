//! A Rust program of a pinned version, built into the cache.

use anyhow::Result;
use std::path::PathBuf;

use crate::cache::{self, Cache};
use crate::shell;

/// The book's compiler. Without its web server and file watcher it builds in half the time.
pub const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    options: &["--no-default-features", "--features", "search"],
    optimization: "0",
    minutes: "1 to 2",
};

/// Checks licences, versions, sources and advisories of all dependencies, by `deny.toml`.
pub const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    options: &[],
    optimization: "1",
    minutes: "3 to 6",
};

/// A program that `cargo install` can build.
pub struct Tool {
    /// The crate, and the program in it.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// More options for `cargo install`.
    pub options: &'static [&'static str],
    /// How hard the compiler tries: what costs minutes of building and saves seconds of running is
    /// left out.
    pub optimization: &'static str,
    /// How long the build takes on two cores, for the person who waits.
    pub minutes: &'static str,
}

impl Tool {
    /// Builds the program unless this version of it is there.
    pub fn install(&self, cache: &Cache) -> Result<()> {
        if self.program(cache).exists() {
            return Ok(());
        }
        let Self { name, version, options, optimization, minutes } = self;
        eprintln!("building {name} {version}, once: {minutes} minutes on two cores");
        // A folder of its own under a fixed name: an interrupted build goes on where it was.
        let target = cache.path(&format!("{name}-target"));
        cache.make(&self.folder(), |partial| {
            let mut install = shell::cargo();
            install
                .args(["install", "--locked", "--quiet", &format!("{name}@{version}")])
                .args(*options)
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", optimization);
            shell::run(install.arg("--root").arg(partial).env("CARGO_TARGET_DIR", &target))
        })?;
        cache::remove(&target)
    }

    /// The path of the program.
    pub fn program(&self, cache: &Cache) -> PathBuf {
        let file = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        cache.path(&self.folder()).join("bin").join(file)
    }

    fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}
