//! Another shape for the same numbers.

use dfdx::nn::builders::Reshape;
use dfdx::shapes::ConstShape;
use trainbook_onnx::{Dim, Element, GraphBuilder, OnnxError, Value};

use super::{named, unfit};
use crate::onnx::ToOnnx;

/// dfdx's shape is known to the compiler, the batch included, where the file's batch is free. So it
/// is expressed only if each row keeps its numbers, which makes the first size the batch; whatever
/// that size is, the file takes any.
impl<S: ConstShape> ToOnnx for Reshape<S> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let shape: Vec<usize> = S::default().concrete().into_iter().collect();
        let [_, rest @ ..] = shape.as_slice() else {
            return Err(OnnxError::NoOnnxForm {
                layer: named("Reshape", scope),
                reason: "its shape has no batch".into(),
            });
        };
        if input.element != Element::F32
            || input.shape[1..].iter().any(|dim| matches!(dim, Dim::Named(_)))
        {
            return Err(unfit(
                "Reshape",
                scope,
                input,
                "be floats whose sizes but the batch's are fixed",
            ));
        }
        let (given, wanted) = (input.row_len(), rest.iter().product::<usize>());
        if given != Some(wanted) {
            return Err(OnnxError::NoOnnxForm {
                layer: named("Reshape", scope),
                reason: format!(
                    "it makes {shape:?} of {input}, which mixes the rows of the batch: the first size must be the batch, and the others \
                     must multiply to {}",
                    given.unwrap_or_default()
                ),
            });
        }
        // 0 keeps the dimension that stands in the same place.
        let sizes = rest.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX));
        let shape = graph.integers(scope, "shape", [0].into_iter().chain(sizes).collect())?;
        graph.node(scope, "Reshape", &[&input.name, &shape], &[])
    }
}
