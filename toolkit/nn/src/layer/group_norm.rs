//! Normalisation of groups of channels.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::normalization::check_eps;
use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// `(x − mean) / √(var + eps) · weight + bias`, mean and (biased) variance over the channels of a
/// group and all their positions, sample by sample; weight and bias for each channel (Wu and He
/// 2018, arXiv:1803.08494). As PyTorch's `GroupNorm(num_groups, channels)`.
///
/// Takes `[channels, …]` and keeps the shape. Parameters: `weight` and `bias` (channels). With one
/// group it normalises a whole sample, with as many groups as channels each channel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    /// Into how many groups the channels are divided.
    pub num_groups: usize,
    /// What is added to the variance. Default 1e-5.
    #[serde(default = "default_eps")]
    pub eps: f64,
}

fn default_eps() -> f64 {
    1e-5
}

impl GroupNorm {
    /// With so many groups.
    pub fn new(num_groups: usize) -> Self {
        Self { num_groups, eps: default_eps() }
    }

    /// The same with another number added to the variance.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }
}

impl Sequential {
    /// Appends a [`GroupNorm`] of so many groups.
    #[must_use]
    pub fn group_norm(self, num_groups: usize) -> Self {
        self.with(GroupNorm::new(num_groups))
    }
}

impl Layer for GroupNorm {
    const KIND: &'static str = "GroupNorm";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        check_eps(self.eps)?;
        let channels = channels(input)?;
        if self.num_groups == 0 || !channels.is_multiple_of(self.num_groups) {
            return Err(Misfit::new(format!(
                "its num_groups, {}, must divide the {channels} channels",
                self.num_groups
            )));
        }
        plan.parameter("weight", [channels], Role::Norm, Begin::ONES);
        plan.parameter("bias", [channels], Role::Norm, Begin::ZEROS);
        plan.flops(8 * input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = x.shape().to_vec();
        let dims = dims(&shape);
        let groups = shape[0] * self.num_groups;
        let len = shape.iter().product::<usize>();
        let x = x.view((groups, len / groups.max(1)))?.try_normalize::<Axis<1>>(self.eps)?;
        let weight = pass.parameter(0, (dims.1,))?;
        let bias = pass.parameter(1, (dims.1,))?;
        let y = x
            .try_reshape_like(&dims)?
            .try_mul(weight.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?
            .try_add(bias.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?;
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::FullInside
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        // ONNX has GroupNormalization from opset 18 on. A group is a row that is normalised, and
        // then each channel gets its weight and bias.
        let sample = pass.layer().input.clone();
        let (groups, len) = (self.num_groups, sample.size() / self.num_groups);
        let grouped = pass.integers("groups", vec![0, groups as i64, len as i64])?;
        let back = std::iter::once(0).chain(sample.shape.iter().map(|&dim| dim as i64)).collect();
        let back = pass.integers("shape", back)?;
        let mut per_channel = vec![1; sample.shape.len()];
        per_channel[0] = sample.shape[0];
        let weight = pass.weight("weight", &per_channel, pass.values(0).to_vec())?;
        let bias = pass.weight("bias", &per_channel, pass.values(1).to_vec())?;
        let ones = pass.weight("ones", &[len], vec![1.0; len])?;
        let zeros = pass.weight("zeros", &[len], vec![0.0; len])?;

        let value = pass.node("Reshape", &[&x.name, &grouped], &[])?;
        let attributes =
            [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(self.eps as f32))];
        let operands = [value.name.as_str(), &ones, &zeros];
        let value = pass.node("LayerNormalization", &operands, &attributes)?;
        let value = pass.node("Reshape", &[&value.name, &back], &[])?;
        let value = pass.node("Mul", &[&value.name, &weight], &[])?;
        pass.node("Add", &[&value.name, &bias], &[])
    }

    fn note(&self) -> String {
        format!("{} groups", self.num_groups)
    }
}

/// How many channels there are in `[channels, …]`.
pub(super) fn channels(input: &Sample) -> Result<usize, Misfit> {
    match input.as_numbers("[channels, …]")?.first() {
        Some(&channels) if input.size() > 0 => Ok(channels),
        _ => Err(Misfit::new("it takes [channels, …], at least one of each")),
    }
}

/// A batch's shape as samples × channels × positions.
pub(super) fn dims(shape: &[usize]) -> (usize, usize, usize) {
    let dim = |i: usize| shape.get(i).copied().unwrap_or(1);
    (dim(0), dim(1), shape.iter().skip(2).product())
}

impl HostLayer for GroupNorm {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let (batch, channels, positions) = dims(&x.shape);
        let (weight, bias) = (pass.parameter(0), pass.parameter(1));
        let in_group = channels / self.num_groups;
        let len = in_group * positions;
        let mut y = pass.memory(x.numbers().len());
        // Mean and 1 / deviation of every group.
        let mut stats = pass.memory(batch * self.num_groups * 2);
        let share = rows::rows_of_share(len);
        let eps = self.eps as f32;
        rows::each_pair(&mut y, share * len, &mut stats, share * 2, |i, y, stats| {
            let from = &x.numbers()[i * share * len..][..y.len()];
            let all = y.chunks_exact_mut(len).zip(from.chunks_exact(len));
            for (j, ((y, x), stats)) in all.zip(stats.chunks_exact_mut(2)).enumerate() {
                let (mean, var) = rows::moments(x);
                let scale = 1.0 / (var + eps).sqrt();
                let first = (i * share + j) % self.num_groups * in_group;
                let parts = y.chunks_exact_mut(positions).zip(x.chunks_exact(positions));
                for (c, (y, x)) in parts.enumerate() {
                    let (w, b) = (weight[first + c], bias[first + c]);
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale * w + b);
                }
                stats.copy_from_slice(&[mean, scale]);
            }
        });
        let shape = x.shape.clone();
        pass.save(x);
        pass.save(HostTensor::new(vec![batch * self.num_groups, 2], stats));
        Ok(HostTensor::new(shape, y))
    }

    fn backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        let stats = pass.saved()?;
        let x = pass.saved()?;
        let (batch, channels, positions) = dims(&x.shape);
        let weight = pass.parameter(0);
        let in_group = channels / self.num_groups;
        let len = in_group * positions;
        let share = rows::rows_of_share(len);
        // For each sample and channel: Σ dy and Σ dy · x̂.
        let mut sums = pass.memory(batch * channels * 2);
        rows::each_pair(
            gradient.numbers_mut(),
            share * len,
            &mut sums,
            share * in_group * 2,
            |i, dy, sums| {
                let x = &x.numbers()[i * share * len..][..dy.len()];
                let stats = &stats.numbers()[i * share * 2..];
                let all = dy.chunks_exact_mut(len).zip(x.chunks_exact(len));
                let all = all.zip(stats.chunks_exact(2)).zip(sums.chunks_exact_mut(in_group * 2));
                for (j, (((dy, x), stats), sums)) in all.enumerate() {
                    let (mean, scale) = (stats[0], stats[1]);
                    let first = (i * share + j) % self.num_groups * in_group;
                    let (mut sum, mut along) = (0.0, 0.0);
                    let parts = dy.chunks_exact(positions).zip(x.chunks_exact(positions));
                    for (c, ((dy, x), sums)) in parts.zip(sums.chunks_exact_mut(2)).enumerate() {
                        let of_channel =
                            rows::sums([dy, x, x], |dy, x, _| [dy, dy * ((x - mean) * scale)]);
                        sum += weight[first + c] * of_channel[0];
                        along += weight[first + c] * of_channel[1];
                        sums.copy_from_slice(&of_channel);
                    }
                    let (sum, along) = (sum / len as f32, along / len as f32);
                    let parts = dy.chunks_exact_mut(positions).zip(x.chunks_exact(positions));
                    for (c, (dy, x)) in parts.enumerate() {
                        let w = weight[first + c];
                        for (dy, x) in dy.iter_mut().zip(x) {
                            *dy = (*dy * w - sum - (x - mean) * scale * along) * scale;
                        }
                    }
                }
            },
        );
        for of_sample in sums.chunks_exact(channels * 2) {
            let of_channels = of_sample.chunks_exact(2);
            pass.gradient(0).iter_mut().zip(of_channels.clone()).for_each(|(g, s)| *g += s[1]);
            pass.gradient(1).iter_mut().zip(of_channels).for_each(|(g, s)| *g += s[0]);
        }
        pass.free_memory(sums);
        pass.free(stats);
        pass.free(x);
        Ok(gradient)
    }
}
