//! The versions of a lock file, as dependencies for targets that do not exist.

use std::fmt::Write;

/// What begins the table.
pub const TABLE: &str = "\n[target.'cfg(any())'.dependencies]\n";

/// The table of a manifest that pins the packages of this lock file that come from a registry.
pub fn table(lock: &str) -> String {
    let mut text = TABLE.to_owned();
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
        assert!(table(lock).ends_with(
            "pin1 = { package = \"rand\", version = \"=0.9.1\", default-features = false }\n"
        ));
    }
}
