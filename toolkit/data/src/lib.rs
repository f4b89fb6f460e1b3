//! Data: from a file to batches, and proof that it is what it should be.
//!
//! Open `dataset.rs` first. The way of the data is `Dataset::csv` → [`Table`] → [`Dataset`]
//! (normalised, split) → [`Loader`] → [`Batch`], and [`Dataset::check`] gives the [`DataReport`].
//! Values are `f32` in row-major order, rows × features; a row keeps its number, its place in the
//! file counted from 0, through everything.

pub mod augment;
mod check;
mod dataset;
mod error;
mod fingerprint;
mod from_memory;
#[cfg(feature = "ndarray")]
mod from_ndarray;
mod images;
mod loader;
mod long;
mod make;
mod marks;
mod mix;
mod normalize;
mod npy;
mod npz;
mod recipe;
mod report;
mod scaling;
mod source;
mod split;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod windows;

pub use augment::Augment;
pub use dataset::Dataset;
pub use error::DataError;
#[cfg(feature = "ndarray")]
pub use from_ndarray::NdNumber;
pub use images::{Colours, ImageFiles, ImageOptions};
pub use loader::{Batches, Buckets, LastBatch, Loader, LoaderPosition, Prefetch, Sampling};
pub use long::Wide;
pub use marks::RowMarks;
pub use mix::Mix;
pub use normalize::{Normalization, Normalize};
pub use npz::NamedArrays;
pub use recipe::{DataRecipe, Origin};
pub use report::{
    ClassCount, DataReport, FeatureSummary, Finding, Probe, Severity, SharedRows, ValueProbe,
};
pub use scaling::{FittedScaling, LARGEST_EXPONENT, TargetScaling};
pub use source::Source;
pub use split::{GivenParts, KFold, Part, Split};
pub use table::{
    Categories, Column, ColumnEncoding, ColumnType, Columns, CsvOptions, Dates, Dialect, Encoding,
    LongSeries, Missing, MissingRule, Table, TablePlan, Unknown, Words,
};
pub use text::Text;
pub use trainbook_core::array::{Array, Numbers};
pub use trainbook_core::batch::{Batch, Mixed, Targets};
pub use windows::WindowOptions;
