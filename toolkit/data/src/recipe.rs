//! How a data set was made, so that it can be made again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainbook_core::random::Seed;

use super::DataError;
use super::images::ImageOptions;
use super::normalize::Normalize;
use super::scaling::TargetScaling;
use super::split::{GivenParts, Split};
use super::table::{Encoding, Table, TablePlan};
use super::windows::WindowOptions;

/// How a data set was made: enough to make it again where its file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecipe {
    /// Where it came from.
    pub origin: Origin,
    /// What a row looks like to a network.
    pub shape: Vec<usize>,
    /// How features are brought to a common scale.
    pub normalize: Normalize,
    /// How targets are brought to a common scale, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_targets: Option<TargetScaling>,
    /// Whether rows count by their weights.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weigh_rows: bool,
    /// How rows are divided, and under which seed; `None` if all are trained on.
    #[serde(default)]
    pub split: Option<(Split, Seed)>,
    /// Which part each row is in, where that does not follow from `split` and the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<GivenParts>,
    /// At most so many rows of each part, the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_rows: Option<usize>,
    /// Whether a network sees nothing of the inputs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_inputs: bool,
}

impl DataRecipe {
    /// Reads another file as the one was read from which the data came and whose columns `encoding`
    /// knows: the same words for a gap, the same decimal sign if one was named, no header where there
    /// was none; what else was found by looking is looked for again.
    ///
    /// # Errors
    /// As [`Dataset::csv`](super::Dataset::csv); or the data came from no table, or are series, which
    /// are made of many rows of one.
    pub fn table(&self, path: impl AsRef<Path>, encoding: &Encoding) -> Result<Table, DataError> {
        match &self.origin {
            Origin::Csv { plan, .. } => plan.like(path.as_ref(), encoding.is_named()),
            _ => Err(DataError::Refused {
                action: "read a table for",
                reason: "they came from no table, or from one whose rows are parts of series"
                    .to_owned(),
            }),
        }
    }
}

/// Where the rows of a data set came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A table: a CSV file, or one of JSON lines.
    Csv {
        /// The file, from the root of the file system if that was known.
        path: PathBuf,
        /// Which columns are the targets, counted from 0.
        #[serde(rename = "target", with = "one_or_several")]
        targets: Vec<usize>,
        /// Whether the target is a class; else it is a number.
        classes: bool,
        /// What was said of its columns.
        #[serde(default, skip_serializing_if = "is_plain")]
        plan: Box<TablePlan>,
    },
    /// Windows of columns of a table; see [`Table::windows`].
    Windows {
        /// The file, from the root of the file system if that was known.
        path: PathBuf,
        /// Which columns are the channels, counted from 0.
        columns: Vec<usize>,
        /// How they are cut.
        options: WindowOptions,
        /// What was said of its columns.
        #[serde(default, skip_serializing_if = "is_plain")]
        plan: Box<TablePlan>,
    },
    /// Series of a table in the long format; see [`Table::series`].
    Series {
        /// The file, from the root of the file system if that was known.
        path: PathBuf,
        /// Which column says of which series a line is, counted from 0.
        id: usize,
        /// Which column says when.
        time: usize,
        /// Which columns are the channels.
        values: Vec<usize>,
        /// Which columns are the targets.
        targets: Vec<usize>,
        /// Whether the target is a class; else it is a number.
        classes: bool,
        /// What was said of its columns.
        #[serde(default, skip_serializing_if = "is_plain")]
        plan: Box<TablePlan>,
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
    /// A folder of shards; see [`Dataset::write_shards`](super::Dataset::write_shards).
    Shards {
        /// The folder, from the root of the file system if that was known.
        path: PathBuf,
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

fn is_plain(plan: &TablePlan) -> bool {
    plan.is_plain()
}

/// The path from the root of the file system, or as it is where that cannot be said.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
