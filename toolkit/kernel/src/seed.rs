//! The notebook library, compiled ahead.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use trainbook_core::beside;

use crate::facade::Facade;
use crate::library::{self, Library};
use crate::tree::{self, Size};
use crate::{Error, Folders, Toolchain, evcxr, toml};

/// Of the folder's layout and of seed.json; another one is another seed.
const FORMAT: u32 = 1;

/// What was compiled ahead, from what, by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    key: String,
    /// The toolkit's version.
    pub toolkit: String,
    /// The version of evcxr.
    pub evcxr: String,
    /// rustup's name for the toolchain.
    pub toolchain: Option<String>,
    /// All that its rustc says about its version.
    pub rustc: String,
    /// Of the notebook library.
    pub features: Vec<String>,
    /// The root of the toolkit's sources.
    pub sources: PathBuf,
    /// When these were last changed, in nanoseconds since 1970.
    sources_changed: u64,
    files: u64,
    /// All files together.
    pub bytes: u64,
}

impl Manifest {
    /// What would be compiled now.
    ///
    /// # Errors
    /// [`Error::Io`] if the sources cannot be read.
    pub fn of(
        library: &Library,
        toolchain: &Toolchain,
        features: &[String],
    ) -> Result<Self, Error> {
        let mut features = features.to_vec();
        features.sort();
        features.dedup();
        let mut manifest = Self {
            format: FORMAT,
            key: String::new(),
            toolkit: env!("CARGO_PKG_VERSION").to_owned(),
            evcxr: evcxr::VERSION.to_owned(),
            toolchain: toolchain.name.clone(),
            rustc: toolchain.version.clone(),
            features,
            sources: library.root().to_owned(),
            sources_changed: nanoseconds(library.changed()?),
            files: 0,
            bytes: 0,
        };
        // Sources that changed make a seed stale, but go on with what it has.
        let identity = Self { sources_changed: 0, ..manifest.clone() };
        let bytes =
            serde_json::to_vec(&identity).map_err(|error| Error::Compile(error.to_string()))?;
        manifest.key = blake3::hash(&bytes).to_hex()[..16].to_owned();
        Ok(manifest)
    }

    /// The name of its folder.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What was compiled ahead and is there, whole.
#[derive(Clone, Debug)]
pub struct Seed {
    folder: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// What there is of a seed.
#[derive(Clone, Debug)]
pub enum SeedState {
    /// Kernels begin with it.
    Ready(Seed),
    /// It is whole, but what it was compiled from has changed.
    Stale(Seed, String),
    /// Nothing was compiled ahead.
    Missing,
    /// It is not what it should be.
    Damaged(String),
}

impl SeedState {
    /// Looks at the seed of this user. Whether all of its files are there is counted if `whole`.
    pub fn look(folders: &Folders, whole: bool) -> Self {
        let current = match fs::read_to_string(folders.seeds().join("current")) {
            Ok(current) => current,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::Missing,
            Err(error) => return Self::Damaged(error.to_string()),
        };
        // A key, and no path that leads elsewhere.
        let key = current.trim();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Self::Damaged(format!("`current` holds {key:?}, which is no key"));
        }
        let seed = match Seed::read(&folders.seeds().join(key)) {
            Ok(seed) => seed,
            Err(error) => return Self::Damaged(error.to_string()),
        };
        if whole {
            match tree::size(&seed.work()) {
                Ok(size) if size == seed.size() => {}
                Ok(Size { files, bytes }) => {
                    return Self::Damaged(format!(
                        "it has {files} files of {bytes} bytes, not {} of {}",
                        seed.manifest.files, seed.manifest.bytes
                    ));
                }
                Err(error) => return Self::Damaged(error.to_string()),
            }
        }
        match seed.stale() {
            Some(why) => Self::Stale(seed, why),
            None => Self::Ready(seed),
        }
    }
}

impl Seed {
    /// Reads the description in this folder.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Unreadable`] for a file that is torn or of another format.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("seed.json");
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        let unreadable = |reason| Error::Unreadable { path: path.clone(), reason };
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if manifest.format != FORMAT {
            let reason =
                format!("its format is {}, and this version reads {FORMAT}", manifest.format);
            return Err(unreadable(reason));
        }
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// Describes what is in `folder`, whole from now on.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn seal(folder: &Path, mut manifest: Manifest) -> Result<Self, Error> {
        let size = tree::size(&folder.join("work"))?;
        (manifest.files, manifest.bytes) = (size.files, size.bytes);
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::Compile(error.to_string()))?;
        write_whole(&folder.join("seed.json"), &text)?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// A description that is not stored yet.
    pub fn planned(folder: &Path, manifest: Manifest) -> Self {
        Self { folder: folder.to_owned(), manifest }
    }

    /// evcxr's folder.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The versions that it was compiled with.
    pub fn lock_file(&self) -> PathBuf {
        self.folder.join("Cargo.lock")
    }

    /// What notebooks depend on. Beside the folder, so that it is in the same place when that gets its
    /// name.
    pub fn facade(&self) -> Facade {
        Facade::new(self.folder.with_file_name(facade_name(&self.manifest.key)))
    }

    /// What evcxr is told to depend on.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the path is no text.
    pub fn dependency(&self) -> Result<String, Error> {
        toml::dependency(library::NAME, &self.facade().krate())
    }

    /// Gives a kernel its working folder.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Unreadable`] if files were missing.
    pub fn plant(&self, work: &Path) -> Result<(), Error> {
        let size = tree::copy(&self.work(), work)?;
        if size == self.size() {
            return Ok(());
        }
        let reason = format!("{} files were found, not {}", size.files, self.manifest.files);
        Err(Error::Unreadable { path: self.work(), reason })
    }

    fn size(&self) -> Size {
        Size { files: self.manifest.files, bytes: self.manifest.bytes }
    }

    /// Why it is not what would be compiled now.
    fn stale(&self) -> Option<String> {
        let Manifest { toolkit, evcxr, sources, .. } = &self.manifest;
        let this = env!("CARGO_PKG_VERSION");
        if toolkit != this {
            return Some(format!("it is of trainbook {toolkit}, and this is {this}"));
        }
        if evcxr != evcxr::VERSION {
            return Some(format!(
                "it is of evcxr {evcxr}, and this version uses {}",
                evcxr::VERSION
            ));
        }
        if !self.facade().is_there() {
            return Some("the crate that notebooks depend on is gone".to_owned());
        }
        let Ok(library) = Library::find(sources) else {
            return Some(format!("the sources in {} are gone", sources.display()));
        };
        match library.changed() {
            Err(error) => Some(format!("failed to {error}")),
            Ok(changed) if nanoseconds(changed) > self.manifest.sources_changed => {
                Some(format!("the sources in {} have changed", sources.display()))
            }
            Ok(_) => None,
        }
    }
}

fn facade_name(key: &str) -> String {
    format!("{key}-facade")
}

/// Makes this seed the one that kernels begin with, and removes others.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; others may stay.
pub fn make_current(folders: &Folders, seed: &Seed) -> Result<(), Error> {
    let seeds = folders.seeds();
    write_whole(&seeds.join("current"), seed.manifest.key.as_bytes())?;
    for entry in fs::read_dir(&seeds).map_err(Error::io("read", &seeds))?.flatten() {
        let name = entry.file_name();
        let kept = [seed.manifest.key.clone(), facade_name(&seed.manifest.key)];
        if entry.path().is_dir() && kept.iter().all(|kept| name != kept.as_str()) {
            // A kernel that was started meanwhile has links of its own.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Writes a file so that it is there as a whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    beside::write_whole(path, bytes).map_err(Error::io("write", path))
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::library::tests::{planted, touch};

    pub fn toolchain() -> Toolchain {
        Toolchain {
            name: Some("1.95.0-x86_64-unknown-linux-gnu".to_owned()),
            version: "rustc 1.95.0 (0000000 2026-04-01)\nhost: x86_64-unknown-linux-gnu".to_owned(),
            sysroot: "/rust".into(),
        }
    }

    /// A whole seed of planted sources in `root`, and the folders of the user who has it.
    pub fn plant(root: &Path) -> (Folders, Seed) {
        let (library, _) = planted(&root.join("sources"));
        let folders = Folders::new(root.join("cache"), root.join("jupyter"));
        let manifest = Manifest::of(&library, &toolchain(), &[]).unwrap();
        let folder = folders.seeds().join(manifest.key());
        fs::create_dir_all(folder.join("work/target/debug/deps")).unwrap();
        fs::write(folder.join("work/Cargo.toml"), "[package]").unwrap();
        fs::write(folder.join("work/target/debug/deps/libserde-0123456789abcdef.rlib"), "x")
            .unwrap();
        fs::write(folder.join("Cargo.lock"), "pins").unwrap();
        let seed = Seed::seal(&folder, manifest).unwrap();
        fs::create_dir_all(seed.facade().krate()).unwrap();
        fs::write(seed.facade().krate().join("Cargo.toml"), "[package]").unwrap();
        make_current(&folders, &seed).unwrap();
        (folders, seed)
    }

    #[test]
    fn a_whole_seed_is_ready_and_what_happened_to_it_is_told() {
        let root = tempfile::tempdir().unwrap();
        let (folders, seed) = plant(root.path());
        let look = || SeedState::look(&folders, true);
        assert!(matches!(look(), SeedState::Ready(_)));
        seed.plant(&root.path().join("work")).unwrap();

        let source = root.path().join("sources/store/src/lib.rs");
        let before = fs::metadata(&source).unwrap().modified().unwrap();
        touch(&source, SystemTime::now());
        assert!(matches!(look(), SeedState::Stale(_, why) if why.contains("have changed")));
        touch(&source, before);

        let facade = seed.facade().krate().join("Cargo.toml");
        fs::rename(&facade, root.path().join("away")).unwrap();
        assert!(matches!(look(), SeedState::Stale(_, why) if why.contains("depend on is gone")));
        fs::rename(root.path().join("away"), &facade).unwrap();

        let library = seed.work().join("target/debug/deps/libserde-0123456789abcdef.rlib");
        fs::remove_file(&library).unwrap();
        assert!(matches!(look(), SeedState::Damaged(why) if why.contains("1 files of 9 bytes")));
        assert!(seed.plant(&root.path().join("again")).is_err());
        fs::write(library, "x").unwrap();

        let description = seed.folder.join("seed.json");
        let text = fs::read(&description).unwrap();
        fs::write(&description, &text[..text.len() / 2]).unwrap();
        assert!(matches!(look(), SeedState::Damaged(why) if why.contains("seed.json")));
        fs::write(&description, &text).unwrap();
        assert!(matches!(look(), SeedState::Ready(_)));

        fs::write(folders.seeds().join("current"), "../../elsewhere").unwrap();
        assert!(matches!(look(), SeedState::Damaged(_)));
        fs::remove_file(folders.seeds().join("current")).unwrap();
        assert!(matches!(look(), SeedState::Missing));
    }

    #[test]
    fn the_key_knows_what_is_compiled_but_not_when_it_was_written() {
        let root = tempfile::tempdir().unwrap();
        let (library, _) = planted(root.path());
        let of = |toolchain: &Toolchain, features: &[&str]| {
            let features: Vec<_> = features.iter().map(|name| (*name).to_owned()).collect();
            Manifest::of(&library, toolchain, &features).unwrap().key
        };
        let key = of(&toolchain(), &[]);
        assert_eq!(key.len(), 16);
        assert_ne!(key, of(&toolchain(), &["cuda"]));
        assert_eq!(of(&toolchain(), &["cuda", "parquet"]), of(&toolchain(), &["parquet", "cuda"]));
        let other = Toolchain { version: "rustc 1.96.0".to_owned(), ..toolchain() };
        assert_ne!(key, of(&other, &[]));
        touch(&root.path().join("Cargo.lock"), SystemTime::now());
        assert_eq!(key, of(&toolchain(), &[]));
    }

    #[test]
    fn only_the_current_seed_stays() {
        let root = tempfile::tempdir().unwrap();
        let (folders, seed) = plant(root.path());
        let other = folders.seeds().join("0123456789abcdef");
        fs::create_dir(&other).unwrap();
        make_current(&folders, &seed).unwrap();
        assert!(!other.exists() && seed.facade().is_there());
        assert!(matches!(SeedState::look(&folders, true), SeedState::Ready(_)));
    }
}
