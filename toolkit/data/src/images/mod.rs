//! Images from files.
//!
//! ```text
//! Dataset::image_folder("flowers")?.resize(64, 64).grey().open()?
//! Dataset::idx("train-images.gz", "train-labels.gz")?
//! ```
//!
//! The files of a folder are decoded when their rows are read; [`Source`](crate::Source) of them is
//! in `source/images.rs`.

mod decode;
mod folder;
mod idx;
mod options;
#[cfg(test)]
mod tests;

pub use folder::ImageFolder;
pub use options::{Colours, ImageOptions};

pub(crate) use decode::decode;
