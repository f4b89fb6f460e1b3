//! Which store a command means when none is named.

use std::path::{Path, PathBuf};

const NAME: &str = ".trainbook";

/// The variable that names a folder for every command.
const VARIABLE: &str = "TRAINBOOK_STORE";

/// The folder named, or that of [`VARIABLE`], or the nearest `.trainbook` in this folder or above
/// it, or the one that belongs at the root of this repository, or in this folder.
pub fn resolve(named: Option<PathBuf>) -> PathBuf {
    let variable = || std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(variable).unwrap_or_else(|| {
        std::env::current_dir().map_or_else(|_| NAME.into(), |here| nearest(&here))
    })
}

/// The store that a folder is, or the one in it.
pub fn within(folder: PathBuf) -> PathBuf {
    let inside = folder.join(NAME);
    if !folder.join("format").exists() && inside.join("format").exists() { inside } else { folder }
}

fn nearest(here: &Path) -> PathBuf {
    let above = |marker: &str| here.ancestors().find(|folder| folder.join(marker).exists());
    above(NAME).or_else(|| above(".git")).unwrap_or(here).join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_store_wins_over_the_root_of_the_repository() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(nearest(&deep), deep.join(NAME));
        std::fs::create_dir(root.path().join(".git")).unwrap();
        assert_eq!(nearest(&deep), root.path().join(NAME));
        std::fs::create_dir(root.path().join("a").join(NAME)).unwrap();
        assert_eq!(nearest(&deep), root.path().join("a").join(NAME));
    }

    #[test]
    fn a_folder_with_a_store_in_it_names_that() {
        let root = tempfile::tempdir().unwrap();
        let (outer, inner) = (root.path().to_owned(), root.path().join(NAME));
        assert_eq!(within(outer.clone()), outer);
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("format"), "3").unwrap();
        assert_eq!((within(outer.clone()), within(inner.clone())), (inner.clone(), inner));
        std::fs::write(outer.join("format"), "3").unwrap();
        assert_eq!(within(outer.clone()), outer);
    }
}
