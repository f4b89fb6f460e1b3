//! The ONNX Runtime that is fetched: its version, and the library in each platform's wheel. xtask
//! includes this file too, so it knows nothing but std.

use std::ffi::OsString;
use std::path::Path;

/// The version that is fetched, the one that everything is tested with.
pub const VERSION: &str = "1.32.0";

/// A platform's library. It is the same file in the wheels for all Python versions, so one of them
/// is fixed in `fetch.py`.
pub struct Pinned {
    /// Of the package.
    pub version: &'static str,
    /// Python's tag for the wheel.
    pub platform: &'static str,
    /// The library's file name.
    pub library: String,
    /// Of the library, in hexadecimal.
    pub sha256: &'static str,
}

impl Pinned {
    /// For a platform as `std::env::consts` names it.
    pub fn of(os: &str, arch: &str) -> Option<Self> {
        let (platform, sha256) = match (os, arch) {
            ("linux", "x86_64") => (
                "manylinux_2_28_x86_64",
                "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
            ),
            ("linux", "aarch64") => (
                "manylinux_2_28_aarch64",
                "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
            ),
            ("macos", "aarch64") => (
                "macosx_14_0_arm64",
                "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7",
            ),
            _ => return None,
        };
        let library = match os {
            "macos" => format!("libonnxruntime.{VERSION}.dylib"),
            _ => format!("libonnxruntime.so.{VERSION}"),
        };
        Some(Self { version: VERSION, platform, library, sha256 })
    }

    /// The folder in a cache.
    pub fn folder(&self) -> String {
        format!("onnxruntime-{}", self.version)
    }

    /// What `fetch.py` takes, to write the library to `file`.
    pub fn arguments(&self, file: &Path) -> [OsString; 5] {
        [
            self.version.into(),
            self.platform.into(),
            self.library.clone().into(),
            self.sha256.into(),
            file.into(),
        ]
    }
}
