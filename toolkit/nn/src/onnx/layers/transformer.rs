//! Encoders and decoders: attention and a feed-forward part in turn, each added to its input and
//! then normalised.

use dfdx::nn::modules::{
    Transformer, TransformerDecoder, TransformerDecoderBlock, TransformerEncoderBlock,
};
use dfdx::tensor_ops::Device;
use trainbook_onnx::{GraphBuilder, OnnxError, Value, Values, join};

use super::attention::attend;
use super::named;
use crate::onnx::ToOnnx;
use crate::onnx::layer::one;

/// `norm2(ff(norm1(self_attn(x) + x)))`, where `ff` adds its input itself. `TransformerEncoder` is
/// this, repeated.
impl<const M: usize, const H: usize, const F: usize, D: Device<f32>> ToOnnx
    for TransformerEncoderBlock<M, H, F, f32, D>
{
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let value = self.self_attn.to_onnx(graph, &join(scope, "self_attn"), input)?;
        let value = graph.node(scope, "Add", &[&value.name, &input.name], &[])?;
        let value = self.norm1.to_onnx(graph, &join(scope, "norm1"), &value)?;
        let value = self.ff.to_onnx(graph, &join(scope, "ff"), &value)?;
        self.norm2.to_onnx(graph, &join(scope, "norm2"), &value)
    }
}

/// As the encoder's, with attention to the encoder's output (the memory) between its own and the
/// feed-forward part.
impl<const M: usize, const H: usize, const F: usize, D: Device<f32>> ToOnnx
    for TransformerDecoderBlock<M, H, F, f32, D>
{
    fn to_onnx(
        &self,
        _: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        Err(needs_two(
            "TransformerDecoderBlock",
            scope,
            "targets and memory",
            &Values::One(input.clone()),
        ))
    }

    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let [target, memory] = two("TransformerDecoderBlock", scope, "targets and memory", input)?;
        let (target, memory) = (one(scope, target)?, one(scope, memory)?);
        let value = self.self_attn.to_onnx(graph, &join(scope, "self_attn"), target)?;
        let value = graph.node(scope, "Add", &[&value.name, &target.name], &[])?;
        let residual = self.norm1.to_onnx(graph, &join(scope, "norm1"), &value)?;
        let value =
            attend(&self.mh_attn, graph, &join(scope, "mh_attn"), [&residual, memory, memory])?;
        let value = graph.node(scope, "Add", &[&value.name, &residual.name], &[])?;
        let value = self.norm2.to_onnx(graph, &join(scope, "norm2"), &value)?;
        let value = self.ff.to_onnx(graph, &join(scope, "ff"), &value)?;
        self.norm3.to_onnx(graph, &join(scope, "norm3"), &value).map(Values::One)
    }
}

/// Block after block, all with the same memory.
impl<const M: usize, const H: usize, const F: usize, const L: usize, D: Device<f32>> ToOnnx
    for TransformerDecoder<M, H, F, L, f32, D>
{
    fn to_onnx(
        &self,
        _: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        Err(needs_two(
            "TransformerDecoder",
            scope,
            "targets and memory",
            &Values::One(input.clone()),
        ))
    }

    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let [target, memory] = two("TransformerDecoder", scope, "targets and memory", input)?;
        let mut target = target.clone();
        for (i, block) in self.0.modules.iter().enumerate() {
            let scope = join(&join(scope, "0"), &i.to_string());
            target = block.to_onnx_values(
                graph,
                &scope,
                &Values::Tuple(vec![target, memory.clone()]),
            )?;
        }
        Ok(target)
    }
}

/// The decoder on the targets, with the encoded source as its memory.
impl<const M: usize, const H: usize, const A: usize, const B: usize, const F: usize, D: Device<f32>>
    ToOnnx for Transformer<M, H, A, B, F, f32, D>
{
    fn to_onnx(
        &self,
        _: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        Err(needs_two("Transformer", scope, "source and targets", &Values::One(input.clone())))
    }

    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let [source, target] = two("Transformer", scope, "source and targets", input)?;
        let memory = self.encoder.to_onnx_values(graph, &join(scope, "encoder"), source)?;
        self.decoder.to_onnx_values(
            graph,
            &join(scope, "decoder"),
            &Values::Tuple(vec![target.clone(), memory]),
        )
    }
}

fn two<'a>(
    layer: &str,
    scope: &str,
    of: &str,
    input: &'a Values,
) -> Result<[&'a Values; 2], OnnxError> {
    match input {
        Values::Tuple(parts) if parts.len() == 2 => Ok([&parts[0], &parts[1]]),
        _ => Err(needs_two(layer, scope, of, input)),
    }
}

fn needs_two(layer: &str, scope: &str, of: &str, input: &Values) -> OnnxError {
    let found = match input {
        Values::One(value) => value.to_string(),
        Values::Tuple(parts) => format!("a tuple of {}", parts.len()),
    };
    OnnxError::NoOnnxForm {
        layer: named(layer, scope),
        reason: format!("it takes a tuple of {of}, not {found}"),
    }
}
