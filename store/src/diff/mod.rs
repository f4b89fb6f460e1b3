//! What differs between two runs.
//!
//! Every field of a record is compared, and each belongs to one [`Group`]. *Causes* are what was
//! put into a run: settings, data, code, machine. *Results* are what came out. *Circumstances*
//! differ between any two runs, or say again what the causes say; they are kept apart, so that
//! "only `lr` differs" can be said of two runs of which that is true.
//!
//! A field that nobody thought of cannot be missed: records are taken apart field by field, and a
//! new field of [`Environment`](crate::Environment) belongs to the machine until `flatten.rs` says
//! otherwise.

pub(crate) mod between;
mod difference;
pub(crate) mod flatten;
mod run_diff;
mod series;
mod text;

pub use difference::{Difference, Group};
pub use run_diff::RunDiff;
pub use series::Divergence;

#[cfg(test)]
mod tests;
