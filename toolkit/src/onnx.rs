//! ONNX files that are proved before they exist: `trainbook-onnx`, and the forms of layers from
//! `trainbook-nn`.

use std::path::Path;

pub use trainbook_nn::onnx::{ToOnnx, graph_of, graph_on};
pub use trainbook_onnx::*;

/// As [`trainbook_onnx::latency()`], with the processor in the report: how it is named is the run
/// store's matter, which that crate does not know.
///
/// # Errors
/// As there.
pub fn latency(
    path: impl AsRef<Path>,
    options: &LatencyOptions,
) -> Result<LatencyReport, OnnxError> {
    let report = trainbook_onnx::latency(path, options)?;
    Ok(LatencyReport { cpu_model: trainbook_store::cpu_model(), ..report })
}
