//! Layers on images, `[batch, channels, height, width]`.

use dfdx::nn::modules::{AvgPoolGlobal, Bias2D, MaxPoolGlobal, MinPoolGlobal, Upscale2D};
use dfdx::tensor_ops::{Bilinear, Device, NearestNeighbor};
use trainbook_onnx::{Attribute, Dim, Element, GraphBuilder, OnnxError, Value, scaled};

use super::{expect, named, unfit};
use crate::onnx::ToOnnx;

/// One number per channel is added.
impl<const C: usize, D: Device<f32>> ToOnnx for Bias2D<C, f32, D> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        expect("Bias2D", scope, input, &[4], 1, C)?;
        let bias = graph.weight(scope, "bias", &[C, 1, 1], self.bias.as_vec())?;
        graph.node(scope, "Add", &[&input.name, &bias], &[])
    }
}

macro_rules! global_pool {
    ($($layer:ident => $op:literal),+ $(,)?) => {$(
        /// One number per channel.
        impl ToOnnx for $layer {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
                images(stringify!($layer), scope, input)?;
                // From opset 18 the axes of two of them are an input.
                let attributes = [("axes", Attribute::Ints(vec![2, 3])), ("keepdims", Attribute::Int(0))];
                graph.node(scope, $op, &[&input.name], &attributes)
            }
        }
    )+};
}

global_pool! {
    AvgPoolGlobal => "ReduceMean",
    MaxPoolGlobal => "ReduceMax",
    MinPoolGlobal => "ReduceMin",
}

/// Repeats pixels. ONNX's Resize places them by another rounding for some sizes, so each row and
/// column is picked by its index.
impl<const H: usize, const W: usize> ToOnnx for Upscale2D<H, W, NearestNeighbor> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let (height, width) = sizes(scope, input, [H, W])?;
        let rows = graph.integers(scope, "rows", nearest(height, H))?;
        let value =
            graph.node(scope, "Gather", &[&input.name, &rows], &[("axis", Attribute::Int(2))])?;
        let columns = graph.integers(scope, "columns", nearest(width, W))?;
        graph.node(scope, "Gather", &[&value.name, &columns], &[("axis", Attribute::Int(3))])
    }
}

/// Interpolates, with the corner pixels in the corners.
impl<const H: usize, const W: usize> ToOnnx for Upscale2D<H, W, Bilinear> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let (height, width) = sizes(scope, input, [H, W])?;
        if H < 2 || W < 2 {
            let reason = format!(
                "for an output of {H} × {W} dfdx computes 0/0, which is NaN; each side needs 2 pixels"
            );
            return Err(OnnxError::NoOnnxForm { layer: named("Upscale2D", scope), reason });
        }
        // Not sizes, because those would fix the batch.
        let scales = vec![1.0, 1.0, scale(scope, height, H)?, scale(scope, width, W)?];
        let scales = graph.weight(scope, "scales", &[4], scales)?;
        let attributes = [
            ("mode", Attribute::Text("linear".into())),
            ("coordinate_transformation_mode", Attribute::Text("align_corners".into())),
        ];
        graph.node(scope, "Resize", &[&input.name, "", &scales], &attributes)
    }
}

fn images(layer: &str, scope: &str, input: &Value) -> Result<(), OnnxError> {
    if input.element == Element::F32 && input.shape.len() == 4 {
        return Ok(());
    }
    Err(unfit(layer, scope, input, "have the shape [batch, _, _, _]"))
}

/// Height and width, which must be known and not shrink.
fn sizes(
    scope: &str,
    input: &Value,
    [tall, wide]: [usize; 2],
) -> Result<(usize, usize), OnnxError> {
    images("Upscale2D", scope, input)?;
    match (&input.shape[2], &input.shape[3]) {
        (Dim::Fixed(height), Dim::Fixed(width)) if *height <= tall && *width <= wide => {
            Ok((*height, *width))
        }
        _ => Err(unfit(
            "Upscale2D",
            scope,
            input,
            &format!("be images of at most {tall} × {wide} pixels, of fixed size"),
        )),
    }
}

/// Which input pixel each output pixel repeats, with dfdx's rounding.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "as in dfdx"
)]
fn nearest(inputs: usize, outputs: usize) -> Vec<i64> {
    let ratio = inputs as f32 / outputs as f32;
    (0..outputs).map(|at| ((ratio * at as f32).floor() as usize).min(inputs - 1) as i64).collect()
}

/// The smallest scale from `outputs / inputs` on whose product with the size is not rounded below
/// `outputs`.
#[allow(clippy::cast_precision_loss, reason = "then the size is refused")]
fn scale(scope: &str, inputs: usize, outputs: usize) -> Result<f32, OnnxError> {
    let ratio = outputs as f32 / inputs as f32;
    let candidates = [ratio, ratio.next_up(), ratio.next_up().next_up()];
    candidates.into_iter().find(|&scale| scaled(inputs, scale) == Some(outputs)).ok_or_else(|| {
        OnnxError::NoOnnxForm {
            layer: named("Upscale2D", scope),
            reason: format!("no f32 scale makes {outputs} of {inputs} pixels"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_up_to_100_has_a_scale() {
        for inputs in 1..=100 {
            for outputs in inputs.max(2)..=100 {
                assert_eq!(scaled(inputs, scale("", inputs, outputs).unwrap()), Some(outputs));
            }
        }
    }

    #[test]
    fn indices_stay_inside_and_ascend() {
        assert_eq!(nearest(2, 5), [0, 0, 0, 1, 1]);
        assert_eq!(nearest(3, 3), [0, 1, 2]);
        for (inputs, outputs) in [(2, 82), (7, 100), (1, 9)] {
            let indices = nearest(inputs, outputs);
            assert!(
                indices.is_sorted() && indices[0] == 0 && indices[outputs - 1] == inputs as i64 - 1
            );
        }
    }
}
