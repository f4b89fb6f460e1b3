//! Attention of every token to every token of another sequence, or of its own.

use dfdx::nn::modules::MultiHeadAttention;
use dfdx::tensor_ops::Device;
use trainbook_onnx::{Attribute, GraphBuilder, OnnxError, Value, Values, join};

use super::{expect, named};
use crate::onnx::ToOnnx;
use crate::onnx::layer::one;

/// `softmax(q kᵀ / √(K/H)) v` for each of H heads, without a mask; `q`, `k` and `v` are linear in
/// the inputs, and so is the output in the heads' results.
impl<const M: usize, const H: usize, const K: usize, const V: usize, D: Device<f32>> ToOnnx
    for MultiHeadAttention<M, H, K, V, f32, D>
{
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        attend(self, graph, scope, [input; 3])
    }

    /// One sequence, or a tuple of queries, keys and values.
    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let inputs = match input {
            Values::One(value) => [value; 3],
            Values::Tuple(parts) => match parts.as_slice() {
                [q, k, v] => [one(scope, q)?, one(scope, k)?, one(scope, v)?],
                _ => {
                    let reason =
                        format!("it takes one sequence or a tuple of 3, not of {}", parts.len());
                    return Err(OnnxError::NoOnnxForm {
                        layer: named("MultiHeadAttention", scope),
                        reason,
                    });
                }
            },
        };
        attend(self, graph, scope, inputs).map(Values::One)
    }
}

pub(super) fn attend<
    const M: usize,
    const H: usize,
    const K: usize,
    const V: usize,
    D: Device<f32>,
>(
    attention: &MultiHeadAttention<M, H, K, V, f32, D>,
    graph: &mut GraphBuilder,
    scope: &str,
    [q, k, v]: [&Value; 3],
) -> Result<Value, OnnxError> {
    let refuse =
        |reason| OnnxError::NoOnnxForm { layer: named("MultiHeadAttention", scope), reason };
    for input in [q, k, v] {
        expect("MultiHeadAttention", scope, input, &[3], 2, M)?;
    }
    if H == 0 || !K.is_multiple_of(H) || !V.is_multiple_of(H) {
        return Err(refuse(format!(
            "{H} heads do not divide the key size {K} and the value size {V}"
        )));
    }
    if k.shape != v.shape {
        return Err(refuse(format!("its keys {k} and its values {v} must have the same shape")));
    }
    // In dfdx's order.
    let v = attention.w_v.to_onnx(graph, &join(scope, "w_v"), v)?;
    let v = heads(graph, &join(scope, "v"), &v, [H, V / H], [0, 2, 1, 3])?;
    let k = attention.w_k.to_onnx(graph, &join(scope, "w_k"), k)?;
    let k = heads(graph, &join(scope, "k"), &k, [H, K / H], [0, 2, 3, 1])?;
    let q = attention.w_q.to_onnx(graph, &join(scope, "w_q"), q)?;
    let q = heads(graph, &join(scope, "q"), &q, [H, K / H], [0, 2, 1, 3])?;

    let weights = join(scope, "weights");
    let scale = graph.weight(&weights, "scale", &[], vec![scale(K / H)])?;
    let value = graph.node(&weights, "MatMul", &[&q.name, &k.name], &[])?;
    let value = graph.node(&weights, "Mul", &[&value.name, &scale], &[])?;
    let value = graph.node(&weights, "Softmax", &[&value.name], &[("axis", Attribute::Int(-1))])?;

    let tokens = join(scope, "tokens");
    let value = graph.node(&tokens, "MatMul", &[&value.name, &v.name], &[])?;
    let value = graph.node(
        &tokens,
        "Transpose",
        &[&value.name],
        &[("perm", Attribute::Ints(vec![0, 2, 1, 3]))],
    )?;
    let shape = graph.integers(&tokens, "shape", vec![0, 0, as_i64(V)])?;
    let value = graph.node(&tokens, "Reshape", &[&value.name, &shape], &[])?;
    attention.w_o.to_onnx(graph, &join(scope, "w_o"), &value)
}

/// `[batch, sequence, heads · size]` to `[batch, heads, …]`.
fn heads(
    graph: &mut GraphBuilder,
    scope: &str,
    value: &Value,
    [heads, size]: [usize; 2],
    perm: [i64; 4],
) -> Result<Value, OnnxError> {
    // Batch and sequence are copied, whatever their sizes.
    let shape = graph.integers(scope, "shape", vec![0, 0, as_i64(heads), as_i64(size)])?;
    let value = graph.node(scope, "Reshape", &[&value.name, &shape], &[])?;
    graph.node(scope, "Transpose", &[&value.name], &[("perm", Attribute::Ints(perm.to_vec()))])
}

/// Rounded as in dfdx.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the rounding is what dfdx does"
)]
fn scale(size: usize) -> f32 {
    (1.0 / (size as f64).sqrt()) as f32
}

fn as_i64(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
