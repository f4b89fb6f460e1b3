//! ONNX files that are proved before they exist.
//!
//! ```text
//! model ── builder ─▶ Graph ── encode ──▶ bytes ──▶ temporary file
//!                       │                               │ read back
//!    trainer's forward  │ f64 evaluation                ▼
//!            └──────────┴───── compare ◀──── ONNX Runtime, batches × optimisation × inputs
//!                                 │
//!                   equal: rename ┴ not equal: no file, and the first node that differs
//! ```
//!
//! Open [`GraphBuilder`] first: whoever has a model adds its nodes there (`trainbook-nn` does it
//! for dfdx's layers). [`Graph`] is the result, plain data, with a [`Head`] behind it on request.
//! [`export()`] writes and proves it, [`check()`] proves a file again, or one of another tool, which
//! `foreign` translates; [`Session`] runs one;
//! [`overview()`] says what is in a file of any tool and [`latency()`] how fast it is. What "equal"
//! means is said in `reference`: each number may be as far from the f64 evaluation as f32 rounding
//! explains, and no farther.
//!
//! A [`Verifier`] chooses what a file is proved in: an `engine`, which is ONNX Runtime (`runtime`
//! finds and installs it), and, with the feature `tract`, tract beside it or alone. What ships with
//! a file so that anybody can prove it again is in `golden` (recorded rows), `folder` (ONNX's own
//! layout) and `encode` (two hashes).
//!
//! A [`Value`] is of any rank, its first dimension the batch: rows of features ([`Graph::build`],
//! [`export()`]), or sequences, images, indices, and several of them ([`Graph::build_on`],
//! [`export_with`]). Nothing that is not known here is written, read or checked: an operator needs
//! its attributes and shapes (`operator`) and its f64 evaluation with margins (`reference`) before
//! a layer can use it.

mod array;
mod attribute;
mod builder;
mod check;
mod compare;
mod comparison;
mod decode;
mod element;
mod encode;
mod engine;
mod error;
mod export;
mod external;
mod file;
mod folder;
mod foreign;
mod forward;
mod from_layer;
mod golden;
mod graph;
mod head;
mod inputs;
#[doc(hidden)]
pub mod internals;
mod latency;
mod mismatch;
mod operator;
mod overview;
mod policy;
mod proto;
mod reference;
mod report;
mod runtime;
mod scope;
mod session;
mod structure;
mod subject;
#[cfg(test)]
mod tests;
#[cfg(feature = "tract")]
mod tract;
mod value;
mod verifier;

pub use array::{Array, Numbers};
pub use attribute::Attribute;
pub use builder::GraphBuilder;
pub use check::{CheckReport, check};
pub use comparison::{Comparison, SecondOpinion};
pub use encode::{FILE_SHA256, GRAPH_SHA256, IR_VERSION, OPSET};
pub use error::{ForwardError, OnnxError};
pub use export::{ExportOptions, ExportReport, PROOF, export, export_with};
pub use forward::{Forward, Predict};
pub use golden::{GOLDEN, GoldenReport};
pub use graph::{Graph, INPUT};
pub use head::{CLASS, Head, PROBABILITIES};
pub use latency::{Latency, LatencyOptions, LatencyReport, latency};
pub use operator::scaled;
pub use overview::{NodeInfo, Overview, Size, TensorInfo, overview};
pub use policy::PolicyDifference;
pub use report::FileReport;
pub use runtime::{Found, Installed, Passed, Runtime, Source, find, install, load};
pub use scope::join;
pub use session::Session;
pub use value::{BATCH, Dim, Element, MEMORY, SEQUENCE, Value, Values};
pub use verifier::{EngineUsed, Verifier};

/// As the files here call it.
pub(crate) use OnnxError as Error;
