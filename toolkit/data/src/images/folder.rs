//! A folder of images, one sub-folder for each class.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::decode::upright_size;
use super::{Colours, ImageOptions};
use crate::recipe::absolute;
use crate::source::Images;
use crate::{DataError, Dataset, Origin};

/// What a file's name ends with if it is taken for an image; capitals count the same.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "bmp", "webp"];

/// The largest height or width.
const LARGEST: usize = 1 << 14;

/// The files of a folder, before any is decoded. [`open`](Self::open) makes the data set.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    path: PathBuf,
    name: String,
    classes: Vec<String>,
    /// Each with its class.
    files: Vec<(PathBuf, u32)>,
    skipped: Vec<PathBuf>,
    options: ImageOptions,
}

impl Dataset {
    /// Lists a folder of images. Its sub-folders are the classes, in the order of their names, and
    /// what is below them are their images, in the order of their paths: PNG, JPEG, GIF (its first
    /// frame), BMP and WebP. What is hidden or is called otherwise is
    /// [skipped](ImageFolder::skipped).
    ///
    /// # Errors
    /// The folder cannot be read, has no sub-folders, or one of them holds no image.
    pub fn image_folder(path: impl AsRef<Path>) -> Result<ImageFolder, DataError> {
        ImageFolder::list(path.as_ref())
    }
}

impl ImageFolder {
    fn list(path: &Path) -> Result<Self, DataError> {
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
        Ok(Self {
            path: absolute(path),
            name: path.display().to_string(),
            classes,
            files,
            skipped,
            options: ImageOptions::default(),
        })
    }

    /// The same with all options at once.
    #[must_use]
    pub fn with(mut self, options: ImageOptions) -> Self {
        self.options = options;
        self
    }

    /// The same with every image brought to this height and width, by a triangle filter that is as
    /// wide as a pixel of the smaller image: Pillow's `BILINEAR`, to within 1 of 255.
    #[must_use]
    pub fn resize(mut self, height: usize, width: usize) -> Self {
        self.options.resize = Some([height, width]);
        self
    }

    /// The same with a piece of this height and width from the middle of every image, after it was
    /// resized if it is.
    #[must_use]
    pub fn center_crop(mut self, height: usize, width: usize) -> Self {
        self.options.center_crop = Some([height, width]);
        self
    }

    /// The same in shades of grey: one channel.
    #[must_use]
    pub fn grey(mut self) -> Self {
        self.options.colours = Colours::Grey;
        self
    }

    /// The same in red, green and blue, which is the default.
    #[must_use]
    pub fn rgb(mut self) -> Self {
        self.options.colours = Colours::Rgb;
        self
    }

    /// The same with all files decoded at once and kept, a byte for each number, instead of every
    /// time that they are read.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.options.in_memory = true;
        self
    }

    /// The classes' names, in order.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Always false: every class has an image.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What is in the folder and is no row: hidden files and folders, files that are not called like
    /// images, and files beside the sub-folders.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// The data set: rows `[channels, height, width]` of numbers from 0 to 255, decoded on several
    /// threads when they are read, upright as their EXIF data say.
    ///
    /// # Errors
    /// A size is 0 or beyond 16384, images that are not resized have different sizes, or, where they
    /// are kept in memory, one cannot be decoded. The message names the file.
    pub fn open(self) -> Result<Dataset, DataError> {
        for side in self.options.resize.iter().chain(&self.options.center_crop).flatten() {
            if !(1..=LARGEST).contains(side) {
                return Err(DataError::Setting {
                    setting: "height or width of images",
                    value: side.to_string(),
                    expected: format!("from 1 to {LARGEST} pixels"),
                });
            }
        }
        let [height, width] = match self.options.size() {
            Some(size) => size,
            None => self.common_size()?,
        };
        let channels = self.options.colours.channels();
        let (files, labels) = self.files.into_iter().unzip();
        Dataset::from_source(Images::new(
            Origin::ImageFolder { path: self.path, options: self.options },
            self.name,
            [channels, height, width],
            files,
            labels,
            self.classes,
            self.options,
        )?)
    }

    /// The size of all files, as it must be where they are not resized.
    fn common_size(&self) -> Result<[usize; 2], DataError> {
        let sizes: Vec<_> = self.files.par_iter().map(|(file, _)| upright_size(file)).collect();
        let mut common = None;
        for ((file, _), size) in self.files.iter().zip(sizes) {
            let size = size?;
            let (first, expected) = *common.get_or_insert((file, size));
            if size != expected {
                let reason = format!(
                    "it has {} × {} pixels, and {} has {} × {}; all must have the same, so use \
                     `.resize(height, width)`",
                    size[0],
                    size[1],
                    first.display(),
                    expected[0],
                    expected[1]
                );
                return Err(DataError::File {
                    path: file.clone(),
                    place: "as an image".to_owned(),
                    reason,
                });
            }
        }
        Ok(common.map_or([0, 0], |(_, size)| size))
    }
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
