//! A folder of images, one sub-folder for each class.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{ImageFiles, ImageOptions};
use crate::recipe::absolute;
use crate::{DataError, Dataset, Origin};

/// What a file's name ends with if it is taken for an image; capitals count the same.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "bmp", "webp"];

impl Dataset {
    /// Lists a folder of images. Its sub-folders are the classes, in the order of their names, and
    /// what is below them are their images, in the order of their paths: PNG, JPEG, GIF (its first
    /// frame), BMP and WebP. What is hidden or is called otherwise is
    /// [skipped](ImageFiles::skipped).
    ///
    /// # Errors
    /// The folder cannot be read, has no sub-folders, or one of them holds no image.
    pub fn image_folder(path: impl AsRef<Path>) -> Result<ImageFiles, DataError> {
        list(path.as_ref())
    }
}

fn list(path: &Path) -> Result<ImageFiles, DataError> {
    let refuse = |place: String, reason: String| {
        Err(DataError::File { path: path.to_owned(), place, reason })
    };
    let (mut classes, mut files, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for folder in entries(path)? {
        if !folder.is_dir() || is_hidden(&folder) {
            skipped.push(folder);
            continue;
        }
        let before = (files.len(), skipped.len());
        walk(&folder, classes.len() as u32, &mut files, &mut skipped)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if files.len() == before.0 {
            let others = skipped.len() - before.1;
            return refuse(
                format!("folder {name:?}"),
                format!(
                    "it holds no images, and {others} other files; each sub-folder is a class, \
                     and its images end with {}",
                    ENDINGS.join(", ")
                ),
            );
        }
        classes.push(name);
    }
    if classes.is_empty() {
        return refuse(
            "as a folder of images".to_owned(),
            format!(
                "it has no sub-folders, and {} files; each class must have a sub-folder of its \
                 own",
                skipped.len()
            ),
        );
    }
    Ok(ImageFiles {
        origin: Origin::ImageFolder { path: absolute(path), options: ImageOptions::default() },
        name: path.display().to_string(),
        classes,
        files,
        skipped,
        options: ImageOptions::default(),
    })
}

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let list = || {
        let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_unstable();
        Ok(entries)
    };
    list().map_err(|source| DataError::Read { path: folder.to_owned(), source })
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) && path.is_file()
}

/// The images below a folder. Links to folders are not followed: they might go round in circles.
fn walk(
    folder: &Path,
    class: u32,
    files: &mut Vec<(PathBuf, u32)>,
    skipped: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    for path in entries(folder)? {
        if is_hidden(&path) {
            skipped.push(path);
        } else if path.is_dir() && !path.is_symlink() {
            walk(&path, class, files, skipped)?;
        } else if is_image(&path) {
            files.push((path, class));
        } else {
            skipped.push(path);
        }
    }
    Ok(())
}
