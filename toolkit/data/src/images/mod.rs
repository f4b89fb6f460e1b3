//! Images from files.
//!
//! ```text
//! Dataset::image_folder("flowers")?.resize(64, 64).grey().open()?
//! Dataset::image_table("labels.csv", "file", "kind")?.resize(64, 64).open()?
//! Dataset::idx("train-images.gz", "train-labels.gz")?
//! ```
//!
//! Files of a folder or a table are decoded when their rows are read; [`Source`](crate::Source) of them is
//! in `source/images.rs`.

mod decode;
mod files;
mod folder;
mod idx;
mod options;
mod table;
#[cfg(test)]
mod tests;

pub use files::ImageFiles;
pub use options::{Colours, ImageOptions};

pub(crate) use decode::decode;
