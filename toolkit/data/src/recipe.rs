//! How a data set was made, so that it can be made again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainbook_core::random::Seed;

use super::images::ImageOptions;
use super::normalize::Normalize;
use super::split::Split;

/// How a data set was made: enough to make it again where its file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecipe {
    /// Where it came from.
    pub origin: Origin,
    /// What a row looks like to a network.
    pub shape: Vec<usize>,
    /// How features are brought to a common scale.
    pub normalize: Normalize,
    /// How rows are divided, and under which seed; `None` if all are trained on.
    #[serde(default)]
    pub split: Option<(Split, Seed)>,
    /// At most so many rows of each part, the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_rows: Option<usize>,
}

/// Where the rows of a data set came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A CSV file.
    Csv {
        /// The file, from the root of the file system if that was known.
        path: PathBuf,
        /// Which columns are the targets, counted from 0.
        #[serde(rename = "target", with = "one_or_several")]
        targets: Vec<usize>,
        /// Whether the target is a class; else it is a number.
        classes: bool,
    },
    /// A text file, by characters.
    Text {
        /// The file, from the root of the file system if that was known.
        path: PathBuf,
        /// Characters in a window.
        context: usize,
        /// Characters from the beginning of one window to that of the next.
        stride: usize,
    },
    /// A folder of images.
    ImageFolder {
        /// The folder, from the root of the file system if that was known.
        path: PathBuf,
        /// What is made of its files.
        options: ImageOptions,
    },
    /// A CSV file that names files of images.
    ImageTable {
        /// The CSV file, from the root of the file system if that was known.
        path: PathBuf,
        /// The column of the files.
        image: String,
        /// The column of the classes.
        target: String,
        /// What is made of the files.
        options: ImageOptions,
    },
    /// Images and labels in the format of MNIST.
    Idx {
        /// The file of the images, from the root of the file system if that was known.
        images: PathBuf,
        /// The file of the labels.
        labels: PathBuf,
    },
    /// The program's own memory: only a program that has the rows can make the data set again.
    Memory,
}

/// One number as itself, as runs before there were several recorded it.
mod one_or_several {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        One(usize),
        Several(Vec<usize>),
    }

    pub(super) fn serialize<S: Serializer>(all: &[usize], to: S) -> Result<S::Ok, S::Error> {
        match all {
            [one] => one.serialize(to),
            several => several.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<usize>, D::Error> {
        Ok(match Read::deserialize(from)? {
            Read::One(one) => vec![one],
            Read::Several(several) => several,
        })
    }
}

/// The path from the root of the file system, or as it is where that cannot be said.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
