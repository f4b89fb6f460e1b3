//! The crate that notebooks depend on: the notebook library to whoever compiles, and a small stand-in
//! of it to whoever infers types.
//!
//! evcxr has rust-analyzer infer the type of each `let`. For one `let`, that reads the sources of all
//! 230 crates that the library stands on and looks for impls of traits in each: 13 s and 1.5 GB a
//! kernel, where the toolkit's own crates and `std`, which name all types that notebooks have, take 2 s
//! and 0.5 GB. So the facade has two dependencies:
//!
//! | cargo is called by | with `--cfg trainbook_analysis` in `RUSTFLAGS` | so that it depends on |
//! |---|---|---|
//! | evcxr, to build a cell | no: evcxr sets the variable itself | the library |
//! | rust-analyzer, to ask for packages | yes: from evcxr's environment | packages that have the sources of the toolkit's crates and no dependencies but each other |
//!
//! A third kind of dependencies, for targets that do not exist, holds the versions of the lock file. evcxr
//! checks each `:dep` in a package that has nothing but it, by which cargo forgets all others; with these
//! they are chosen as they were. They bring nothing else with them, neither code nor features.
//!
//! `std` has a stand-in of its own: links to all of its sources but the intrinsics of processors, which are
//! more than half of them. (`let` of a vector such as `__m256` needs a type beside it.)

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::library::{self, Library};
use crate::{Error, Toolchain, pins};

/// What rust-analyzer's cargo is told and evcxr's is not.
const FLAG: &str = "trainbook_analysis";

/// The part of `std` that is left out.
const INTRINSICS: &str = "stdarch";

/// The facade's folder, which need not be there.
#[derive(Clone, Debug)]
pub struct Facade(PathBuf);

impl Facade {
    /// The one in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where the crate is.
    pub fn krate(&self) -> PathBuf {
        self.0.join("library")
    }

    fn analysis(&self) -> PathBuf {
        self.0.join("analysis")
    }

    fn std(&self) -> PathBuf {
        self.0.join("rust")
    }

    /// Whether it has been written.
    pub fn is_there(&self) -> bool {
        self.krate().join("Cargo.toml").is_file()
    }

    /// What evcxr's rust-analyzer must be told.
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        [
            ("RUSTFLAGS", format!("--cfg {FLAG}").into()),
            // Where it is not what it should be, rust-analyzer looks for the whole.
            ("RUST_SRC_PATH", self.std().into()),
        ]
    }

    /// Writes it anew, without versions.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Program`] if cargo does not tell which crates the toolkit has.
    pub fn write(
        &self,
        library: &Library,
        toolchain: &Toolchain,
        features: &[String],
    ) -> Result<(), Error> {
        let (std, sources) = (self.std(), toolchain.sources());
        let _ = fs::remove_dir_all(&std);
        fs::create_dir_all(&std).map_err(Error::io("create", &std))?;
        for part in fs::read_dir(&sources).map_err(Error::io("read", &sources))? {
            let part = part.map_err(Error::io("read", &sources))?;
            if part.file_name() != INTRINSICS {
                let link = std.join(part.file_name());
                symlink(part.path(), &link).map_err(Error::io("create", &link))?;
            }
        }
        let packages = toolkit(library, toolchain)?;
        for (name, manifest) in analysis(&packages) {
            let folder = self.analysis().join(name);
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            write(&folder.join("Cargo.toml"), &manifest)?;
        }
        let krate = self.krate();
        fs::create_dir_all(&krate).map_err(Error::io("create", &krate))?;
        let source = format!(
            "#[cfg({FLAG})]\npub use analysis::*;\n#[cfg(not({FLAG}))]\npub use library::*;\n"
        );
        write(&krate.join("lib.rs"), &source)?;
        let stand_in = self.analysis().join(library::NAME);
        let real = library::folder(library.root());
        write(&krate.join("Cargo.toml"), &manifest(&stand_in, &real, features)?)
    }

    /// Adds the versions of this lock file's packages that come from a registry.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn pin(&self, lock: &Path) -> Result<(), Error> {
        let lock = fs::read_to_string(lock).map_err(Error::io("read", lock))?;
        let path = self.krate().join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let own = text.split(pins::TABLE).next().unwrap_or_default();
        write(&path, &format!("{own}{}", pins::table(&lock)))
    }
}

/// The facade's manifest. Its version is nobody else's: two packages of a lock file that are in folders
/// must differ in name or version.
fn manifest(stand_in: &Path, real: &Path, features: &[String]) -> Result<String, Error> {
    let line = |key: &str, folder: &Path, features: &[String]| {
        let path = folder.to_str().ok_or_else(|| Error::Unreadable {
            path: folder.to_owned(),
            reason: "cargo needs a path that is text in UTF-8".to_owned(),
        })?;
        let (name, path, features) = (quoted(library::NAME), quoted(path), list(features));
        Ok::<_, Error>(format!(
            "{key} = {{ package = {name}, path = {path}, features = {features} }}\n"
        ))
    };
    let mut text = package(library::NAME, "0.0.1", "2024", "lib.rs", &library::lib_name());
    let _ = write!(text, "\n[target.'cfg({FLAG})'.dependencies]\n");
    text += &line("analysis", stand_in, features)?;
    let _ = write!(text, "\n[target.'cfg(not({FLAG}))'.dependencies]\n");
    text += &line("library", real, features)?;
    // cargo would tell of a condition that it does not know.
    let _ = write!(
        text,
        "\n[lints.rust]\nunexpected_cfgs = {{ level = \"allow\", check-cfg = ['cfg({FLAG})'] }}\n"
    );
    text.push_str("\n[workspace]\n");
    Ok(text)
}

fn package(name: &str, version: &str, edition: &str, path: &str, lib: &str) -> String {
    format!(
        "[package]\nname = {}\nversion = {}\nedition = {}\n\n[lib]\nname = {}\npath = {}\n",
        quoted(name),
        quoted(version),
        quoted(edition),
        quoted(lib),
        quoted(path)
    )
}

/// The packages in the toolkit's folder, by their names.
fn toolkit(library: &Library, toolchain: &Toolchain) -> Result<BTreeMap<String, Package>, Error> {
    let failed = |reason: String| Error::Program { program: "cargo metadata".to_owned(), reason };
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(library.root())
        .envs(toolchain.name.iter().map(|name| ("RUSTUP_TOOLCHAIN", name)))
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let found: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    Ok(found.packages.into_iter().map(|package| (package.name.clone(), package)).collect())
}

/// Manifests of packages with the sources of those on which the library stands, and with no others
/// among their dependencies.
fn analysis(packages: &BTreeMap<String, Package>) -> BTreeMap<&str, String> {
    let mut manifests = BTreeMap::new();
    let mut left = vec![library::NAME];
    while let Some(name) = left.pop() {
        let Some((name, package)) = packages.get_key_value(name) else { continue };
        if manifests.contains_key(name.as_str()) {
            continue;
        }
        let own: Vec<_> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.is_none() && !dependency.optional)
            .filter(|dependency| packages.contains_key(&dependency.name))
            .collect();
        left.extend(own.iter().map(|dependency| dependency.name.as_str()));
        manifests.insert(name.as_str(), package.analysis(&own));
    }
    manifests
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// What `cargo metadata` tells of a package.
#[derive(Deserialize)]
struct Package {
    name: String,
    edition: String,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: String,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    rename: Option<String>,
    kind: Option<String>,
    optional: bool,
    uses_default_features: bool,
    features: Vec<String>,
}

impl Package {
    fn analysis(&self, own: &[&Dependency]) -> String {
        let is_library = |target: &&Target| {
            target.kind.iter().any(|kind| matches!(kind.as_str(), "lib" | "rlib" | "dylib"))
        };
        let Some(library) = self.targets.iter().find(is_library) else { return String::new() };
        let mut text =
            package(&self.name, "0.0.0", &self.edition, &library.src_path, &library.name);
        text.push_str("\n[dependencies]\n");
        for dependency in own {
            let _ = writeln!(
                text,
                "{} = {{ package = {name}, path = {}, default-features = {}, features = {} }}",
                dependency.rename.as_ref().unwrap_or(&dependency.name),
                quoted(&format!("../{}", dependency.name)),
                dependency.uses_default_features,
                list(&dependency.features),
                name = quoted(&dependency.name),
            );
        }
        text.push_str("\n[features]\n");
        // A feature of a dependency that is not there turns nothing on.
        let known: BTreeSet<_> = own
            .iter()
            .map(|dependency| dependency.rename.as_ref().unwrap_or(&dependency.name).as_str())
            .collect();
        for (feature, turns_on) in &self.features {
            let kept = turns_on.iter().filter(|other| match other.split_once('/') {
                Some((of, _)) => known.contains(of.trim_end_matches('?')),
                None => self.features.contains_key(*other),
            });
            let _ = writeln!(text, "{} = {}", quoted(feature), list(kept));
        }
        text.push_str("\n[workspace]\n");
        text
    }
}

fn list<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A string of TOML, which reads those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    // A file that is newer would be compiled again.
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"packages": [
        {"name": "trainbook-notebook", "edition": "2024", "features": {"cuda": ["trainbook/cuda"]},
         "targets": [{"name": "trainbook_notebook", "kind": ["dylib"], "src_path": "/s/notebook/lib.rs"}],
         "dependencies": [{"name": "trainbook", "rename": null, "kind": null, "optional": false,
                           "uses_default_features": true, "features": []}]},
        {"name": "trainbook", "edition": "2024",
         "features": {"cuda": ["dfdx/cuda", "fast", "dep:cudarc"], "fast": []},
         "targets": [{"name": "build-script-build", "kind": ["custom-build"], "src_path": "/s/build.rs"},
                     {"name": "trainbook", "kind": ["lib"], "src_path": "/s/lib.rs"}],
         "dependencies": [{"name": "dfdx", "rename": null, "kind": null, "optional": false,
                           "uses_default_features": false, "features": []},
                          {"name": "tests", "rename": null, "kind": "dev", "optional": false,
                           "uses_default_features": true, "features": []}]},
        {"name": "tests", "edition": "2024", "features": {}, "targets": [], "dependencies": []}]}"#;

    #[test]
    fn stand_ins_have_the_toolkits_sources_and_nobody_elses() {
        let found: Metadata = serde_json::from_str(METADATA).unwrap();
        let packages: BTreeMap<_, _> =
            found.packages.into_iter().map(|package| (package.name.clone(), package)).collect();
        let manifests = analysis(&packages);
        assert_eq!(manifests.keys().collect::<Vec<_>>(), [&"trainbook", &"trainbook-notebook"]);
        let trainbook = &manifests["trainbook"];
        assert!(trainbook.contains("path = \"/s/lib.rs\""), "{trainbook}");
        assert!(!trainbook.contains("dfdx"), "{trainbook}");
        assert!(trainbook.contains("\"cuda\" = [\"fast\"]\n"), "{trainbook}");
        let notebook = &manifests["trainbook-notebook"];
        assert!(notebook.contains("\"cuda\" = [\"trainbook/cuda\"]\n"), "{notebook}");
        assert!(notebook.contains("path = \"../trainbook\""), "{notebook}");
    }

    #[test]
    fn versions_are_pinned_once() {
        let folder = tempfile::tempdir().unwrap();
        let facade = Facade::new(folder.path().to_owned());
        fs::create_dir_all(facade.krate()).unwrap();
        let text = manifest(Path::new("/a"), Path::new("/r"), &["cuda".to_owned()]).unwrap();
        let path = facade.krate().join("Cargo.toml");
        fs::write(&path, &text).unwrap();
        let lock = folder.path().join("Cargo.lock");
        for version in ["1.0.1", "1.0.2"] {
            let package = format!(
                "[[package]]\nname = \"x\"\nversion = \"{version}\"\nsource = \"registry+y\"\n"
            );
            fs::write(&lock, package).unwrap();
            facade.pin(&lock).unwrap();
        }
        let pinned = fs::read_to_string(&path).unwrap();
        assert!(pinned.starts_with(&text) && pinned.contains("\"=1.0.2\""), "{pinned}");
        assert!(!pinned.contains("1.0.1"), "{pinned}");
    }
}
