//! The ONNX forms of dfdx's layers.

mod activation;
mod attention;
mod compose;
mod embedding;
mod image;
mod linear;
mod normalization;
mod prelu;
mod reshape;
mod transformer;

use trainbook_onnx::{BATCH, Dim, Element, OnnxError, Value};

/// "Linear 0.2".
fn named(layer: &str, scope: &str) -> String {
    if scope.is_empty() { layer.to_owned() } else { format!("{layer} {scope}") }
}

/// An error for an input that the layer does not take. `expected` finishes "its input must …".
fn unfit(layer: &str, scope: &str, input: &Value, expected: &str) -> OnnxError {
    OnnxError::NoOnnxForm {
        layer: named(layer, scope),
        reason: format!("its input must {expected}, but is {input}"),
    }
}

/// Refuses an input without a batch of floats, of another rank, or with another size than `size` at
/// `axis` (negative: from the end).
fn expect(
    layer: &str,
    scope: &str,
    input: &Value,
    ranks: &[usize],
    axis: isize,
    size: usize,
) -> Result<(), OnnxError> {
    let rank = input.shape.len();
    let at = usize::try_from(axis).unwrap_or_else(|_| rank.saturating_sub(axis.unsigned_abs()));
    let batched = Value::is_batched(&input.shape);
    if batched
        && input.element == Element::F32
        && ranks.contains(&rank)
        && input.shape[at] == Dim::Fixed(size)
    {
        return Ok(());
    }
    let shapes = ranks.iter().map(|&rank| {
        let at = usize::try_from(axis).unwrap_or_else(|_| rank.saturating_sub(axis.unsigned_abs()));
        let dims = (0..rank).map(|i| match i {
            0 => BATCH.to_owned(),
            i if i == at => size.to_string(),
            _ => "_".to_owned(),
        });
        format!("[{}]", dims.collect::<Vec<_>>().join(", "))
    });
    Err(unfit(
        layer,
        scope,
        input,
        &format!("have the shape {}", shapes.collect::<Vec<_>>().join(" or ")),
    ))
}
