//! ONNX Runtime, which checks exported files.

use super::{Finding, Machine};

const CHECK: &str = "ONNX Runtime";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    match machine.probe.onnx_runtime() {
        Ok(found) => Finding::ok(CHECK, found),
        Err(reason) => Finding::broken(CHECK, reason, "trainbook ort install"),
    }
}
