//! `cargo xtask deny`: what `deny.toml` says of the dependencies.
//!
//! Advisories change from day to day and need the network, and cargo-deny takes minutes to build,
//! so that `cargo xtask test` does not run it. The tests below hold `Cargo.lock` to the same file
//! without it: versions, sources and licences.

use anyhow::Result;

use crate::cache::Cache;
use crate::{shell, tool};

/// Installs cargo-deny unless it is there, and runs all of its checks.
pub fn run() -> Result<()> {
    let cache = Cache::open()?;
    {
        let _lock = cache.lock()?;
        tool::CARGO_DENY.install(&cache)?;
    }
    let mut deny = shell::command(tool::CARGO_DENY.program(&cache));
    shell::run(deny.current_dir(shell::root()).args(["check", "--show-stats"]))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use crate::shell;

    fn read(name: &str) -> String {
        fs::read_to_string(shell::root().join(name)).unwrap()
    }

    /// What stands between the quotes of `key = "…"` in a line.
    fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
        let (_, rest) = line.split_once(&format!("{key} = \""))?;
        rest.split_once('"').map(|(text, _)| text)
    }

    /// `major.minor.patch`, for order.
    fn version(text: &str) -> Vec<u64> {
        let plain = text.split(['+', '-']).next().unwrap();
        plain.split('.').map(|part| part.parse().unwrap()).collect()
    }

    /// Name and version of every package that is there in a newer version, too.
    fn older_versions(lock: &str) -> BTreeSet<String> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in lock.split("[[package]]").skip(1) {
            let name = package.lines().find_map(|line| quoted(line, "name")).unwrap();
            let found = package.lines().find_map(|line| quoted(line, "version")).unwrap();
            versions.entry(name).or_default().push(found);
        }
        let mut older = BTreeSet::new();
        for (name, mut found) in versions {
            found.sort_by_key(|found| version(found));
            found.pop();
            older.extend(found.iter().map(|version| format!("{name}@{version}")));
        }
        older
    }

    /// Crates with their reasons.
    fn skipped(deny: &str) -> BTreeMap<String, String> {
        let entry = |line| {
            Some((
                quoted(line, "crate")?.to_owned(),
                quoted(line, "reason").unwrap_or("").to_owned(),
            ))
        };
        let (_, skip) = deny.split_once("skip = [").unwrap();
        skip.lines().take_while(|line| *line != "]").filter_map(entry).collect()
    }

    #[test]
    fn every_crate_in_several_versions_has_a_reason() {
        let (older, skipped) = (older_versions(&read("Cargo.lock")), skipped(&read("deny.toml")));
        assert!(!older.is_empty());
        for known in &older {
            let reason = skipped.get(known).map(String::as_str).unwrap_or_default();
            assert!(
                reason.len() > 5,
                "{known} is in Cargo.lock beside a newer version: deny.toml must say why"
            );
        }
        for excepted in skipped.keys() {
            assert!(
                older.contains(excepted),
                "{excepted} is excepted in deny.toml, but nowhere beside a newer version"
            );
        }
    }

    #[test]
    fn an_older_version_is_found_by_number() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
        };
        let lock = [package("a", "0.9.1"), package("a", "0.13.2"), package("b", "1.0.0")].concat();
        assert_eq!(older_versions(&lock), BTreeSet::from(["a@0.9.1".to_owned()]));
    }

    #[test]
    fn every_package_comes_from_the_registry() {
        for line in read("Cargo.lock").lines().filter(|line| line.starts_with("source = ")) {
            let source = quoted(line, "source").unwrap();
            assert!(source.starts_with("registry+"), "{source}");
        }
    }

    /// Whether an SPDX expression can be met by what is allowed.
    fn met(expression: &str, allowed: &[&str]) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let found = any(&words, &mut at, allowed);
        found && at == words.len()
    }

    fn any(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
        let mut found = all(words, at, allowed);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            found |= all(words, at, allowed);
        }
        found
    }

    fn all(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
        let mut found = one(words, at, allowed);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            found &= one(words, at, allowed);
        }
        found
    }

    fn one(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
        let Some(&word) = words.get(*at) else { return false };
        *at += 1;
        if word == "(" {
            let found = any(words, at, allowed);
            *at += 1;
            return found;
        }
        let mut licence = word.to_owned();
        if words.get(*at) == Some(&"WITH") {
            licence = format!("{word} WITH {}", words[*at + 1]);
            *at += 2;
        }
        allowed.contains(&licence.as_str())
    }

    #[test]
    fn licences_are_read_as_spdx_means_them() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"];
        for good in ["MIT", "GPL-3.0 OR MIT", "Unlicense/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
            assert!(met(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH LLVM-exception", ""] {
            assert!(!met(bad, &allowed), "{bad}");
        }
    }

    /// Of what is built on this machine: others need no less, but their crates may not be here.
    #[test]
    fn every_licence_is_one_that_deny_toml_allows() {
        let deny = read("deny.toml");
        let list = |text: &str| -> Vec<String> {
            let list = text.split(']').next().unwrap();
            list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let (_, after) = deny.split_once("allow = [").unwrap();
        let allowed = list(after);
        assert!(allowed.contains(&"MIT".to_owned()) && allowed.len() < 10, "{allowed:?}");
        let (_, after) = deny.split_once("exceptions = [").unwrap();
        let exceptions: BTreeMap<&str, Vec<String>> = after
            .lines()
            .take_while(|line| *line != "]")
            .filter_map(|line| {
                Some((quoted(line, "crate")?, list(line.split_once("allow = [")?.1)))
            })
            .collect();
        assert!((1..5).contains(&exceptions.len()), "{exceptions:?}");
        let rustc = shell::output(shell::command("rustc").arg("-vV")).unwrap();
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let metadata = shell::output(shell::cargo().current_dir(shell::root()).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
            "--filter-platform",
            host,
        ]))
        .unwrap();
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 100);
        for package in packages {
            let licence = package["license"].as_str().unwrap_or_default();
            let name = package["name"].as_str().unwrap();
            let more = exceptions.get(name).into_iter().flatten();
            let allowed: Vec<&str> = allowed.iter().chain(more).map(String::as_str).collect();
            assert!(met(licence, &allowed), "{name} is under {licence:?}");
        }
    }
}
