//! What needs no network: where the runtime is found and installed, what is recorded with a file.
//! Networks are exported and checked, damaged and mutated in `trainbook-nn`.

pub(super) mod foreign;
mod installs;
mod operators;
mod others;
mod proofs;
mod runtimes;
#[cfg(feature = "tract")]
mod tract;

/// A folder with nothing but what the test puts there.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}
