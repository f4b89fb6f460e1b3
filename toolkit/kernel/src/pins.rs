//! A crate that does nothing but hold the versions of others.
//!
//! evcxr checks each `:dep` in a package that has nothing but it, by which cargo forgets all other
//! versions of the lock file: after it, the library's dependencies would be chosen anew, and
//! compiled anew. With this crate among a kernel's dependencies they are chosen as they were. They
//! are its own only for targets that do not exist, so that it brings nothing else with it, neither
//! code nor features.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Error;

/// The crate's name.
pub const NAME: &str = "trainbook-pins";

/// Writes the crate into this folder, for the packages of this lock file that come from a registry.
///
/// # Errors
/// [`Error::Io`].
pub fn write(folder: &Path, lock: &Path) -> Result<(), Error> {
    let text = fs::read_to_string(lock).map_err(Error::io("read", lock))?;
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    for (name, text) in [("Cargo.toml", manifest(&text).as_str()), ("lib.rs", "")] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

fn manifest(lock: &str) -> String {
    let mut text = format!(
        "[package]\nname = \"{NAME}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n[target.'cfg(any())'.dependencies]\n"
    );
    for (at, (name, version)) in packages(lock).enumerate() {
        let _ = writeln!(
            text,
            "pin{at} = {{ package = \"{name}\", version = \"={version}\", default-features = false }}"
        );
    }
    text
}

/// Names and versions of a registry's packages.
fn packages(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.split("[[package]]").skip(1).filter_map(|package| {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            Some(line?.trim_start_matches([' ', '=']).trim_matches('"'))
        };
        value("source")?.starts_with("registry+").then_some(())?;
        // What a version says of its build is no part of a requirement.
        let version = value("version")?;
        Some((value("name")?, version.split('+').next().unwrap_or(version)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_a_registry_are_pinned_in_all_their_versions_and_others_are_not() {
        let lock = "\
version = 4

[[package]]
name = \"ctx\"
version = \"1.0.0\"
dependencies = [
 \"rand 0.8.5\",
]

[[package]]
name = \"rand\"
version = \"0.8.5\"
source = \"registry+https://example.org/index\"
checksum = \"00\"

[[package]]
name = \"rand\"
version = \"0.9.1+build.2\"
source = \"registry+https://example.org/index\"
";
        let found: Vec<_> = packages(lock).collect();
        assert_eq!(found, [("rand", "0.8.5"), ("rand", "0.9.1")]);
        let manifest = manifest(lock);
        assert!(manifest.ends_with(
            "pin1 = { package = \"rand\", version = \"=0.9.1\", default-features = false }\n"
        ));
    }
}
