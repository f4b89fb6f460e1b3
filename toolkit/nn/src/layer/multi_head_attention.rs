//! Attention of every position of a sequence to every other, or to those of a memory.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::attention::Attention;
use crate::host::{HostLayer, HostPass, HostTensor, Matrix, gemm, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// Self-attention in several heads (Vaswani et al. 2017, arXiv:1706.03762): queries, keys and
/// values are linear in x, `q, k, v = x in_proj_weightᵀ + in_proj_bias`; each head of `d = features
/// / num_heads` features gives `softmax(q kᵀ / √d) v`, and what the heads give, side by side, goes
/// through `out_proj`. As PyTorch's `MultiheadAttention(features, num_heads)` on one sequence.
///
/// Takes `[sequence, features]` and keeps the shape. Parameters, with D features: `in_proj_weight`
/// (3 D, D: queries, keys, values), `in_proj_bias` (3 D), `out_proj.weight` (D, D),
/// `out_proj.bias` (D). There is no dropout of the attention's weights.
///
/// With a [`memory`](Self::memory) of M positions it is the attention of a decoder to what an encoder
/// has made (cross-attention; PyTorch's `MultiheadAttention` with other keys than queries): of
/// `[M + sequence, features]` the first M positions are looked at and the others look, and it gives
/// `[sequence, features]`.
///
/// Keys that are padding get no weight, as with PyTorch's `key_padding_mask`; see
/// [`Embedding::padding_index`](super::Embedding::padding_index). Where all keys are, the position
/// gets 0 of the values (PyTorch's NaN).
///
/// They begin as PyTorch's: `in_proj_weight` uniform in ±√(6 / (D + 3 D)), Xavier's bound for the
/// three matrices as one, `out_proj.weight` in ±1 / √D, biases at 0. With another
/// [`Init`](crate::Init) each of the four matrices is drawn by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHeadAttention {
    /// Into how many heads the features are divided.
    pub num_heads: usize,
    /// Whether a position sees only itself and those before it. Default false.
    #[serde(default)]
    pub causal: bool,
    /// Whether the projections have biases. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How many of the first positions are the memory at which the others look. Default 0: there is
    /// none, and all positions look at all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(super) fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn yes() -> bool {
    true
}

impl MultiHeadAttention {
    /// With so many heads, each position seeing all others.
    pub fn new(num_heads: usize) -> Self {
        Self { num_heads, causal: false, bias: true, memory: 0 }
    }

    /// The same where a position sees only itself and those before it.
    #[must_use]
    pub fn causal(mut self) -> Self {
        self.causal = true;
        self
    }

    /// The same where the first positions, so many, are a memory at which the others look.
    #[must_use]
    pub fn memory(mut self, positions: usize) -> Self {
        self.memory = positions;
        self
    }

    /// The same without biases.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The numbers of the output projection's weight and bias among the layer's tensors.
    fn out_proj(&self) -> (usize, usize) {
        if self.bias { (2, 3) } else { (1, 2) }
    }

    fn sizes(&self, shape: &[usize]) -> Attention {
        let dim = |i: usize| shape.get(i).copied().unwrap_or(1);
        let Self { num_heads: heads, causal, memory, .. } = *self;
        Attention { batch: dim(0), length: dim(1), memory, features: dim(2), heads, causal }
    }
}

impl Sequential {
    /// Appends a [`MultiHeadAttention`] of so many heads.
    #[must_use]
    pub fn multi_head_attention(self, num_heads: usize) -> Self {
        self.with(MultiHeadAttention::new(num_heads))
    }
}

/// What is added to the score of a position that is not seen. In f32 and f64 its exponential is 0;
/// unlike −∞ it makes no NaN of a difference.
const HIDDEN: f64 = -1e30;

/// The same in f16, which goes to 65504: for a position that is hidden twice over, too.
const HIDDEN_IN_F16: f64 = -3e4;

/// For each position and each key, row-major: `hidden` where the key stands behind the position,
/// else `seen`.
fn causal(length: usize, hidden: f64, seen: f64) -> impl Iterator<Item = f64> {
    (0..length * length).map(move |i| if i % length > i / length { hidden } else { seen })
}

impl Layer for MultiHeadAttention {
    const KIND: &'static str = "MultiHeadAttention";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [length, features] = input.dims("[sequence, features]")?;
        if length == 0 || features == 0 {
            return Err(Misfit::new("it takes [sequence, features], at least one of each"));
        }
        let heads = self.num_heads;
        if heads == 0 || !features.is_multiple_of(heads) {
            return Err(Misfit::new(format!(
                "its num_heads, {heads}, must divide the {features} features"
            )));
        }
        let memory = self.memory;
        if memory > 0 && self.causal {
            return Err(Misfit::new(
                "it has a memory, whose positions are not those of the sequence, so that it cannot \
                 be causal",
            ));
        }
        if memory >= length {
            return Err(Misfit::new(format!(
                "its memory of {memory} positions leaves none of the {length} to look at it"
            )));
        }
        // Queries, keys and values are three matrices, one below the other; PyTorch draws them as
        // Xavier's one matrix of 3 D outputs.
        let bound = (6.0 / (4 * features) as f64).sqrt();
        let begin = Begin::WeightWithin { bound, fan_in: features, fan_out: features };
        plan.parameter("in_proj_weight", [3 * features, features], Role::Weight, begin);
        if self.bias {
            plan.parameter("in_proj_bias", [3 * features], Role::Bias, Begin::ZEROS);
        }
        let begin = Begin::Weight { fan_in: features, fan_out: features };
        plan.parameter("out_proj.weight", [features, features], Role::Weight, begin);
        if self.bias {
            plan.parameter("out_proj.bias", [features], Role::Bias, Begin::ZEROS);
        }
        let (queries, keys) = (length - memory, if memory > 0 { memory } else { length });
        let projection = features * (2 * features + usize::from(self.bias));
        let products = 4 * queries * keys * features;
        let softmaxes = 6 * queries * keys * heads;
        plan.flops((3 * length + queries) * projection + products + softmaxes);
        Ok(match memory {
            0 => input.clone(),
            _ => {
                let padding = input.padding.map(|padding| padding.behind(memory));
                Sample::numbers([queries, features]).padded(padding)
            }
        })
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let sizes = self.sizes(x.shape());
        let Attention { batch, length, features, heads, .. } = sizes;
        let (device, rows, head) = (x.device(), batch * length, features / heads);
        let (queries, keys) = (sizes.queries(), sizes.keys());
        let weight = pass.parameter(0, (3 * features, features))?;
        let mut qkv =
            x.view((rows, features))?.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)?;
        if self.bias {
            let bias = pass.parameter(1, (3 * features,))?;
            qkv = qkv.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(rows, 3 * features))?)?;
        }
        let qkv = qkv.try_reshape_like(&(batch, length, 3 * features))?;
        let all = 0..batch;
        let q = qkv.with_empty_tape().try_slice((all.clone(), queries.clone(), 0..features))?;
        let of_keys =
            |part: usize| (0..batch, keys.clone(), part * features..(part + 1) * features);
        let k = qkv.with_empty_tape().try_slice(of_keys(1))?;
        let v = qkv.try_slice(of_keys(2))?;
        let (queries, keys) = (queries.len(), keys.len());
        let q = q.try_reshape_like(&(batch, queries, heads, head))?;
        let q = q.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
        let k = k.try_reshape_like(&(batch, keys, heads, head))?;
        let k = k.try_permute::<_, Axes4<0, 2, 3, 1>>()?;
        let v = v.try_reshape_like(&(batch, keys, heads, head))?;
        let v = v.try_permute::<_, Axes4<0, 2, 1, 3>>()?;

        let all = (batch, heads, queries, keys);
        let mut scores = q.try_matmul(k)?.try_mul(E::of(1.0 / (head as f64).sqrt()))?;
        let hidden = if E::of(HIDDEN).is_finite() { HIDDEN } else { HIDDEN_IN_F16 };
        if self.causal {
            let mask = causal(length, hidden, 0.0).map(E::of).collect::<Vec<E>>();
            let mask = device.try_tensor_from_vec(mask, (length, length))?;
            scores = scores.try_add(mask.try_broadcast_like::<_, Axes2<0, 1>>(&all)?)?;
        }
        let padding = pass.padding()?;
        let of_keys = |at_padding: f64, elsewhere: f64| -> Option<Vec<E>> {
            let of = |&key: &bool| E::of(if key { at_padding } else { elsewhere });
            let samples = padding.as_ref()?.chunks_exact(length);
            Some(samples.flat_map(|sample| sample[..keys].iter().map(of)).collect())
        };
        if let Some(mask) = of_keys(hidden, 0.0) {
            let mask = device.try_tensor_from_vec(mask, (batch, keys))?;
            scores = scores.try_add(mask.try_broadcast_like::<_, Axes2<1, 2>>(&all)?)?;
        }
        let mut weights = D::softmax(scores)?;
        if let Some(kept) = of_keys(0.0, 1.0) {
            // Where every key is hidden the softmax knows none from another.
            let kept = device.try_tensor_from_vec(kept, (batch, keys))?;
            weights = weights.try_mul(kept.try_broadcast_like::<_, Axes2<1, 2>>(&all)?)?;
            if self.causal {
                let kept = causal(length, 0.0, 1.0).map(E::of).collect::<Vec<E>>();
                let kept = device.try_tensor_from_vec(kept, (length, length))?;
                weights = weights.try_mul(kept.try_broadcast_like::<_, Axes2<0, 1>>(&all)?)?;
            }
        }
        let tokens = weights.try_matmul(v)?;
        let rows = batch * queries;
        let tokens =
            tokens.try_permute::<_, Axes4<0, 2, 1, 3>>()?.try_reshape_like(&(rows, features))?;

        let (weight, bias) = self.out_proj();
        let weight = pass.parameter(weight, (features, features))?;
        let mut y = tokens.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?)?;
        if self.bias {
            let bias = pass.parameter(bias, (features,))?;
            y = y.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(rows, features))?)?;
        }
        Flow::shaped(y, vec![batch, queries, features])
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let [length, features] =
            pass.layer().input.dims("[sequence, features]").map_err(|m| Fault::new(m.reason))?;
        let head = features / self.num_heads;
        let sizes = self.sizes(&[1, length, features]);
        let (queries, keys) = (sizes.queries(), sizes.keys());
        let positions = pass.slice("positions", x, 1, queries.clone())?;
        let memory = pass.slice("memory", x, 1, keys.clone())?;
        let heads = |pass: &mut OnnxPass<'_>, name: &str, length: usize| {
            pass.integers(name, vec![0, length as i64, self.num_heads as i64, head as i64])
        };
        let of_queries = heads(pass, "heads", queries.len())?;
        let of_keys = match self.memory {
            0 => of_queries.clone(),
            _ => heads(pass, "memory_heads", keys.len())?,
        };
        let mut parts = Vec::new();
        for (i, (name, perm)) in
            [("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])].into_iter().enumerate()
        {
            let weight = &pass.values(0)[i * features * features..][..features * features];
            let weight = transposed(weight, features);
            let (x, heads) = if i == 0 { (&positions, &of_queries) } else { (&memory, &of_keys) };
            let mut value = project(pass, name, x, weight, features)?;
            if self.bias {
                let bias = pass.values(1)[i * features..][..features].to_vec();
                value = shift(pass, name, &value, bias)?;
            }
            let value = pass.node("Reshape", &[&value.name, heads], &[])?;
            let perm = Attribute::Ints(perm.to_vec());
            parts.push(pass.node("Transpose", &[&value.name], &[("perm", perm)])?.name);
        }
        let scale = pass.weight("scale", &[], vec![(1.0 / (head as f64).sqrt()) as f32])?;
        let mut value = pass.node("MatMul", &[&parts[0], &parts[1]], &[])?;
        value = pass.node("Mul", &[&value.name, &scale], &[])?;
        if self.causal {
            let mask = causal(length, HIDDEN, 0.0).map(|v| v as f32).collect();
            let mask = pass.weight("mask", &[length, length], mask)?;
            value = pass.node("Add", &[&value.name, &mask], &[])?;
        }
        let padded = match pass.padding("padding", HIDDEN as f32, 0.0)? {
            None => None,
            Some(mask) => {
                let axes = pass.integers("axes", vec![1, 2])?;
                let mask = pass.slice("padding_memory", &mask, 1, keys.clone())?;
                let mask = pass.node("Unsqueeze", &[&mask.name, &axes], &[])?;
                value = pass.node("Add", &[&value.name, &mask.name], &[])?;
                Some(axes)
            }
        };
        value = pass.node("Softmax", &[&value.name], &[("axis", Attribute::Int(-1))])?;
        if let (Some(axes), Some(kept)) = (padded, pass.padding("kept", 0.0, 1.0)?) {
            // Where every key is hidden the softmax knows none from another.
            let kept = pass.slice("kept_memory", &kept, 1, keys.clone())?;
            let kept = pass.node("Unsqueeze", &[&kept.name, &axes], &[])?;
            value = pass.node("Mul", &[&value.name, &kept.name], &[])?;
            if self.causal {
                let kept = causal(length, 0.0, 1.0).map(|v| v as f32).collect();
                let kept = pass.weight("seen", &[length, length], kept)?;
                value = pass.node("Mul", &[&value.name, &kept], &[])?;
            }
        }
        value = pass.node("MatMul", &[&value.name, &parts[2]], &[])?;
        let perm = Attribute::Ints(vec![0, 2, 1, 3]);
        value = pass.node("Transpose", &[&value.name], &[("perm", perm)])?;
        let merged = pass.integers("merged", vec![0, queries.len() as i64, features as i64])?;
        value = pass.node("Reshape", &[&value.name, &merged], &[])?;

        let (weight, bias) = self.out_proj();
        let weight = transposed(pass.values(weight), features);
        value = project(pass, "out_proj", &value, weight, features)?;
        if self.bias {
            value = shift(pass, "out_proj", &value, pass.values(bias).to_vec())?;
        }
        Ok(value)
    }

    fn note(&self) -> String {
        let heads = if self.num_heads == 1 { "head" } else { "heads" };
        let causal = if self.causal { ", causal" } else { "" };
        let bias = if self.bias { "" } else { ", no bias" };
        let memory = match self.memory {
            0 => String::new(),
            positions => format!(", memory {positions}"),
        };
        format!("{} {heads}{causal}{bias}{memory}", self.num_heads)
    }
}

/// A square matrix, transposed.
fn transposed(weight: &[f32], size: usize) -> Vec<f32> {
    (0..size * size).map(|i| weight[i % size * size + i / size]).collect()
}

fn project(
    pass: &mut OnnxPass<'_>,
    name: &str,
    x: &Value,
    weight: Vec<f32>,
    features: usize,
) -> Result<Value, Fault> {
    let weight = pass.weight(&format!("{name}.weight_t"), &[features, features], weight)?;
    pass.node("MatMul", &[&x.name, &weight], &[])
}

fn shift(pass: &mut OnnxPass<'_>, name: &str, x: &Value, bias: Vec<f32>) -> Result<Value, Fault> {
    let bias = pass.weight(&format!("{name}.bias"), &[bias.len()], bias)?;
    pass.node("Add", &[&x.name, &bias], &[])
}

impl HostLayer for MultiHeadAttention {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let sizes = self.sizes(&x.shape);
        let Attention { batch, length, features, heads, .. } = sizes;
        let rows = batch * length;
        let (out_weight, out_bias) = self.out_proj();
        let (in_bias, out_bias) = match self.bias {
            true => (Some(pass.parameter(1)), Some(pass.parameter(out_bias))),
            false => (None, None),
        };
        let mut qkv = pass.memory(rows * 3 * features);
        linear(x.numbers(), pass.parameter(0), in_bias, features, &mut qkv);
        pass.round(&mut qkv);
        let queries = sizes.queries().len();
        let mut weights = pass.memory(sizes.weights());
        let mut merged = pass.memory(batch * queries * features);
        let padding = pass.padding()?;
        sizes.forward(&qkv, padding.as_deref(), &mut weights, &mut merged)?;
        pass.round(&mut merged);
        let mut y = pass.memory(batch * queries * features);
        linear(&merged, pass.parameter(out_weight), out_bias, features, &mut y);
        pass.save(x);
        pass.save(HostTensor::new(vec![rows, 3 * features], qkv));
        pass.save(HostTensor::new(vec![batch, heads, weights.len() / (batch * heads)], weights));
        pass.save(HostTensor::new(vec![batch * queries, features], merged));
        Ok(HostTensor::new(vec![batch, queries, features], y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let (merged, weights, qkv) = (pass.saved()?, pass.saved()?, pass.saved()?);
        let x = pass.saved()?;
        let sizes = self.sizes(&x.shape);
        let features = sizes.features;
        let rows = sizes.batch * sizes.length;
        let queries = sizes.batch * sizes.queries().len();
        let (out_weight, out_bias) = self.out_proj();

        let dy = Matrix::new(gradient.numbers(), queries, features);
        let merged_matrix = Matrix::new(merged.numbers(), queries, features);
        gemm(dy.t(), merged_matrix, pass.gradient(out_weight), true);
        if self.bias {
            rows::add_all(gradient.numbers(), pass.gradient(out_bias));
        }
        let mut of_merged = pass.memory(queries * features);
        let weight = Matrix::new(pass.parameter(out_weight), features, features);
        gemm(dy, weight, &mut of_merged, false);
        pass.round(&mut of_merged);
        pass.free(gradient);
        pass.free(merged);

        let mut of_qkv = match self.memory {
            0 => pass.memory(rows * 3 * features),
            // Nobody uses the queries of the memory, nor the keys of the others.
            _ => pass.zeros(rows * 3 * features),
        };
        sizes.backward(qkv.numbers(), weights.numbers(), &of_merged, &mut of_qkv)?;
        pass.round(&mut of_qkv);
        pass.free(qkv);
        pass.free(weights);

        let d_qkv = Matrix::new(&of_qkv, rows, 3 * features);
        gemm(d_qkv.t(), Matrix::new(x.numbers(), rows, features), pass.gradient(0), true);
        if self.bias {
            rows::add_all(&of_qkv, pass.gradient(1));
        }
        let shape = x.shape.clone();
        pass.free(x);
        let dx = if pass.wants_input_gradient() {
            let mut dx = match self.memory {
                // As large as the gradient in `merged`, which is not needed any more.
                0 => std::mem::take(&mut of_merged),
                _ => pass.memory(rows * features),
            };
            gemm(d_qkv, Matrix::new(pass.parameter(0), 3 * features, features), &mut dx, false);
            HostTensor::new(shape, dx)
        } else {
            HostTensor::none()
        };
        pass.free_memory(of_merged);
        pass.free_memory(of_qkv);
        Ok(dx)
    }
}

/// `y ← x Wᵀ + b`.
fn linear(x: &[f32], weight: &[f32], bias: Option<&[f32]>, inputs: usize, y: &mut [f32]) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    if let Some(bias) = bias {
        y.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
    }
    let weight = Matrix::new(weight, outputs, inputs);
    gemm(Matrix::new(x, rows, inputs), weight.t(), y, bias.is_some());
}
