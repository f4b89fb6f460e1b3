//! How values show themselves: in a notebook, in a report file, on GitHub and in a terminal.
//!
//! Everything here is a pure function from data to a [`Bundle`] of HTML and text, and equal data
//! gives equal bytes: a live run and a stored one look the same, and a notebook that is run again
//! does not change. Only [`Bundle::emit`] prints.
//!
//! ```text
//! RunRecord ─ run ─┐               ┌─ svg ───────── picture ─┐
//!                  ├─ chart::Chart ┤                         ├─ bundle ─ Bundle { html, text }
//! Comparison ──────┤
//! any curve ───────┘               └─ interactive ─ script ──┤
//! RunSummary… ─ runs ─── table::Table ── rows ───────────────┘
//!
//! Update ─ update ─ lines of a run that is being followed
//! TrainingStatus ─ training ─ text, and curves where there is no record
//! ```
//!
//! The HTML begins with a static picture, because that is all that GitHub, a viewer without scripts
//! and a machine without a network can show. Where scripts run and plotly.js is on the page or can
//! be fetched, an interactive chart takes its place.

mod axis;
mod bundle;
mod cell;
pub mod chart;
mod comparison;
pub(crate) mod costs;
mod history;
mod interactive;
mod run;
mod runs;
mod svg;
pub(crate) mod training;
mod update;

pub use bundle::{chart, html_page};
pub use comparison::{comparison, comparison_svg};
pub use history::history;
pub use run::{run, run_svg};
pub use runs::runs;
pub use trainbook_core::bundle::Bundle;
pub use trainbook_core::text_table as table;
pub use update::update;
