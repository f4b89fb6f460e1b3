//! Files of images before they are opened.

use std::path::PathBuf;

use rayon::prelude::*;

use super::decode::upright_size;
use super::{Colours, ImageOptions};
use crate::source::Images;
use crate::{DataError, Dataset, Origin};

/// The largest height or width.
const LARGEST: usize = 1 << 14;

/// Files of images with their classes, before any is decoded. [`open`](Self::open) makes the data
/// set.
#[derive(Clone, Debug)]
pub struct ImageFiles {
    /// With any options; those that hold are beside it.
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) classes: Vec<String>,
    /// Each with its class.
    pub(super) files: Vec<(PathBuf, u32)>,
    pub(super) skipped: Vec<PathBuf>,
    pub(super) options: ImageOptions,
}

impl ImageFiles {
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

    /// What is in a folder and is no row: hidden files and folders, files that are not called like
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
        let mut origin = self.origin;
        if let Origin::ImageFolder { options, .. } | Origin::ImageTable { options, .. } =
            &mut origin
        {
            *options = self.options;
        }
        let (files, labels) = self.files.into_iter().unzip();
        Dataset::from_source(Images::new(
            origin,
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
