//! The ONNX forms of dfdx's layers.

mod activation;
mod compose;
mod linear;
mod normalization;

use super::Value;
use crate::Error;

/// Refuses an input that is not `[batch, width]`.
fn expect_width(layer: &str, scope: &str, input: &Value, width: usize) -> Result<(), Error> {
    if input.width() == Some(width) {
        return Ok(());
    }
    Err(Error::NoOnnxForm {
        layer: if scope.is_empty() { layer.to_owned() } else { format!("{layer} {scope}") },
        reason: format!("its input must have the shape [batch, {width}], but {} has {:?}", input.name, input.shape),
    })
}
