//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use trainbook_core::user_cache::user_cache;

use crate::Error;

/// The folders that the kernel lives in; none need exist.
#[derive(Clone, Debug)]
pub struct Folders {
    cache: PathBuf,
    jupyter: PathBuf,
}

impl Folders {
    /// Those of this user: `$XDG_CACHE_HOME/trainbook` (by default `~/.cache/trainbook`,
    /// `~/Library/Caches/trainbook` on macOS), which also has ONNX Runtime, and Jupyter's folder for
    /// a user's data: `$JUPYTER_DATA_DIR`, `$XDG_DATA_HOME/jupyter`, `~/.local/share/jupyter`, or
    /// `~/Library/Jupyter` on macOS.
    ///
    /// # Errors
    /// [`Error::NoFolder`] if the environment has neither these nor `HOME`. Relative paths do not
    /// count.
    pub fn of_user() -> Result<Self, Error> {
        Self::by(&|name| env::var_os(name))
    }

    /// The same with other environment variables.
    pub(crate) fn by(variables: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let folder = |name: &str| {
            variables(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute())
        };
        let home = |usual: &str| Some(folder("HOME")?.join(usual));
        let mac = cfg!(target_os = "macos");
        let cache = user_cache(variables)
            .ok_or(Error::NoFolder { what: "the cache", variable: "XDG_CACHE_HOME" })?;
        let jupyter = folder("JUPYTER_DATA_DIR")
            .or_else(|| match mac {
                true => home("Library/Jupyter"),
                false => folder("XDG_DATA_HOME")
                    .or_else(|| home(".local/share"))
                    .map(|data| data.join("jupyter")),
            })
            .ok_or(Error::NoFolder { what: "Jupyter's kernels", variable: "JUPYTER_DATA_DIR" })?;
        Ok(Self { cache, jupyter })
    }

    /// These two.
    pub fn new(cache: impl Into<PathBuf>, jupyter: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), jupyter: jupyter.into() }
    }

    /// All that the kernel keeps.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// What was compiled ahead.
    pub fn seeds(&self) -> PathBuf {
        self.cache.join("seeds")
    }

    /// The working folders of living kernels.
    pub fn kernels(&self) -> PathBuf {
        self.cache.join("kernels")
    }

    /// All kernel specs of the user.
    pub fn specs(&self) -> PathBuf {
        self.jupyter.join("kernels")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(variables: &[(&str, &str)]) -> Result<Folders, Error> {
        Folders::by(&|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn jupyters_own_variable_wins_and_a_relative_path_does_not_count() {
        let usual = by(&[("HOME", "/h")]).unwrap();
        assert_eq!(usual.cache(), Path::new("/h/.cache/trainbook"));
        assert_eq!(usual.specs(), Path::new("/h/.local/share/jupyter/kernels"));
        let xdg = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_DATA_HOME", "/d")];
        let xdg = by(&xdg).unwrap();
        assert_eq!(xdg.cache(), Path::new("/c/trainbook"));
        assert_eq!(xdg.specs(), Path::new("/d/jupyter/kernels"));
        let named = [("HOME", "/h"), ("JUPYTER_DATA_DIR", "/j"), ("XDG_CACHE_HOME", "here")];
        let named = by(&named).unwrap();
        assert_eq!(named.cache(), Path::new("/h/.cache/trainbook"));
        assert_eq!(named.specs(), Path::new("/j/kernels"));
    }

    #[test]
    fn without_a_home_there_is_no_folder() {
        let error = by(&[("XDG_CACHE_HOME", "/c")]).unwrap_err();
        assert!(error.to_string().contains("JUPYTER_DATA_DIR"), "{error}");
        assert!(by(&[]).unwrap_err().to_string().contains("XDG_CACHE_HOME"));
    }
}
