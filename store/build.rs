//! Tells the crate how it was built, which a run records: the compiler, the target and the
//! optimisation.

use std::env;
use std::process::Command;

fn main() {
    // Cargo itself runs this again for another compiler, target or profile. Not for another path of
    // the same compiler (`rerun-if-env-changed=RUSTC`): evcxr names it by one that depends on the
    // notebook's folder, and all that is built on this crate was compiled again.
    println!("cargo:rerun-if-changed=build.rs");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let rustc = Command::new(of("RUSTC"))
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success());
    let rustc = rustc
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    println!("cargo:rustc-env=TRAINBOOK_RUSTC={rustc}");
    println!("cargo:rustc-env=TRAINBOOK_TARGET={}", of("TARGET"));
    println!("cargo:rustc-env=TRAINBOOK_TARGET_FEATURES={}", of("CARGO_CFG_TARGET_FEATURE"));
    println!("cargo:rustc-env=TRAINBOOK_PROFILE={}, opt-level {}", of("PROFILE"), of("OPT_LEVEL"));
}
