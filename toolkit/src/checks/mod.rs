//! Diagnostics: questions that the playbook asks before and during training, answered with
//! evidence.
//!
//! Each runs on a copy of the trainer's task and asserts, by hash, that the trainer itself has not
//! changed.

mod init_report;
mod lr_curve;
mod lr_finder;

pub use init_report::{InitReport, Spread, Verdict};
pub use lr_curve::{LrCurve, LrPoint, LrSuggestions};
