//! Normalisation over the batch.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::group_norm::{channels, dims};
use super::normalization::check_eps;
use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// `(x − mean) / √(var + eps) · weight + bias`, each channel by its mean and variance over the
/// batch and all positions (Ioffe and Szegedy 2015, arXiv:1502.03167). As PyTorch's `BatchNorm1d`,
/// `2d` and `3d`.
///
/// Takes `[channels, …]` and keeps the shape. Parameters: `weight` and `bias` (channels), with
/// [`affine`](Self::affine); carried along: `running_mean` and `running_var` (channels). In
/// training it uses the batch's mean and biased variance, and each step moves
/// `running ← (1 − momentum) · running + momentum · batch`, with the unbiased variance,
/// `n / (n − 1)` times the biased one. In evaluation it uses the running ones.
///
/// What becomes of a sample depends on the others of its batch, and a batch must have at least two
/// numbers a channel: a last batch of one sample of plain features is an error, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    /// What is added to the variance. Default 1e-5.
    pub eps: f64,
    /// How far the running statistics move in a step, from 0 to 1. Default 0.1.
    pub momentum: f64,
    /// Whether there are a weight and a bias. Default true.
    pub affine: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1, affine: true }
    }
}

impl BatchNorm {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another number added to the variance.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// The same with running statistics that move so far in a step, from 0 to 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The same without weight and bias.
    #[must_use]
    pub fn no_affine(mut self) -> Self {
        self.affine = false;
        self
    }

    /// The number of `running_mean` among the layer's tensors; `running_var` is the next.
    fn running(&self) -> usize {
        if self.affine { 2 } else { 0 }
    }

    /// By what the biased variance of `n` numbers is multiplied to be unbiased.
    fn unbiased(n: usize) -> Result<f64, Fault> {
        if n < 2 {
            return Err(Fault::new(format!(
                "in training it takes the batch's variance, which needs at least 2 numbers for each channel; this batch has {n}"
            )));
        }
        Ok(n as f64 / (n as f64 - 1.0))
    }
}

impl Sequential {
    /// Appends a [`BatchNorm`] with its defaults.
    #[must_use]
    pub fn batch_norm(self) -> Self {
        self.with(BatchNorm::new())
    }
}

impl Layer for BatchNorm {
    const KIND: &'static str = "BatchNorm";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        check_eps(self.eps)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(Misfit::new(format!(
                "its momentum must be from 0 to 1, not {}",
                self.momentum
            )));
        }
        let channels = channels(input)?;
        if self.affine {
            plan.parameter("weight", [channels], Role::Norm, Begin::ONES);
            plan.parameter("bias", [channels], Role::Norm, Begin::ZEROS);
        }
        plan.buffer("running_mean", [channels], Begin::ZEROS);
        plan.buffer("running_var", [channels], Begin::ONES);
        plan.flops(4 * input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = x.shape().to_vec();
        let dims = dims(&shape);
        let x = x.view(dims)?;
        let mean = pass.parameter(self.running(), (dims.1,))?;
        let var = pass.parameter(self.running() + 1, (dims.1,))?;
        let eps = E::of(self.eps);
        let mut y = if pass.is_training() {
            let unbiased = Self::unbiased(dims.0 * dims.2)?;
            let of_batch = x.with_empty_tape().try_mean::<_, Axes2<0, 2>>()?;
            let new_mean = mix(mean, of_batch.retaped(), self.momentum, 1.0)?;
            let centered = x.try_sub(of_batch.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?;
            let of_batch = centered.with_empty_tape().try_square()?.try_mean::<_, Axes2<0, 2>>()?;
            let new_var = mix(var, of_batch.retaped(), self.momentum, unbiased)?;
            pass.set_buffer(self.running(), new_mean)?;
            pass.set_buffer(self.running() + 1, new_var)?;
            let deviation = of_batch.try_add(eps)?.try_sqrt()?;
            centered.try_div(deviation.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?
        } else {
            let deviation = var.try_add(eps)?.try_sqrt()?;
            x.try_sub(mean.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?
                .try_div(deviation.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?
        };
        if self.affine {
            let weight = pass.parameter(0, (dims.1,))?;
            let bias = pass.parameter(1, (dims.1,))?;
            y = y
                .try_mul(weight.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?
                .try_add(bias.try_broadcast_like::<_, Axes2<0, 2>>(&dims)?)?;
        }
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::FullInside
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let running = self.running();
        let channels = pass.shape(running)[0];
        let (weight, bias) = if self.affine {
            (pass.parameter(0, "weight")?, pass.parameter(1, "bias")?)
        } else {
            (
                pass.weight("weight", &[channels], vec![1.0; channels])?,
                pass.weight("bias", &[channels], vec![0.0; channels])?,
            )
        };
        let mean = pass.parameter(running, "running_mean")?;
        let var = pass.parameter(running + 1, "running_var")?;
        let operands = [x.name.as_str(), &weight, &bias, &mean, &var];
        let eps = Attribute::Float(self.eps as f32);
        pass.node("BatchNormalization", &operands, &[("epsilon", eps)])
    }

    fn note(&self) -> String {
        if self.affine { String::new() } else { "no weight, no bias".to_owned() }
    }
}

/// `(1 − momentum) · running + momentum · factor · new`.
fn mix<E: Real, D: Backend<E>>(
    running: Tensor<(usize,), E, D>,
    new: Tensor<(usize,), E, D>,
    momentum: f64,
    factor: f64,
) -> Result<Tensor<(usize,), E, D>, Fault> {
    let new = new.try_mul(E::of(momentum * factor))?;
    Ok(running.try_mul(E::of(1.0 - momentum))?.try_add(new)?)
}

/// For each channel the sums over batch and positions of what `f` makes of two memories and the
/// channel's number. Samples are summed several at a time, and then in their order.
fn sums<const K: usize>(
    pass: &mut HostPass<'_>,
    [a, b]: [&[f32]; 2],
    (batch, channels, positions): (usize, usize, usize),
    f: impl Fn(usize, f32, f32) -> [f32; K] + Sync,
) -> Vec<[f32; K]> {
    let len = channels * positions;
    let share = rows::rows_of_share(len);
    let shares = batch.div_ceil(share);
    let mut partial = pass.zeros(shares * channels * K);
    let cost = share * len;
    crate::host::threads::each_block(
        &mut partial,
        channels * K,
        cost,
        #[inline(always)]
        |i, partial| {
            let part = i * share * len..((i + 1) * share).min(batch) * len;
            let samples = a[part.clone()].chunks_exact(len).zip(b[part].chunks_exact(len));
            for (a, b) in samples {
                let of_channels = a.chunks_exact(positions).zip(b.chunks_exact(positions));
                for (c, ((a, b), into)) in of_channels.zip(partial.chunks_exact_mut(K)).enumerate()
                {
                    let more = if positions == 1 {
                        f(c, a[0], b[0])
                    } else {
                        rows::sums([a, b, b], |a, b, _| f(c, a, b))
                    };
                    into.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                }
            }
        },
    );
    let mut all = vec![[0.0; K]; channels];
    for of_share in partial.chunks_exact(channels * K) {
        for (sum, more) in all.iter_mut().zip(of_share.chunks_exact(K)) {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
    pass.free_memory(partial);
    all
}

impl HostLayer for BatchNorm {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let dims = dims(&x.shape);
        let (batch, channels, positions) = dims;
        let running = self.running();
        let (running_mean, running_var) = (pass.parameter(running), pass.parameter(running + 1));
        let eps = self.eps as f32;
        // Mean and 1 / deviation of every channel.
        let mut stats = pass.memory(channels * 2);
        if pass.is_training() {
            let n = batch * positions;
            let unbiased = Self::unbiased(n)?;
            let from = [x.numbers(), x.numbers()];
            let mean: Vec<f32> = sums(pass, from, dims, |_, x, _| [x])
                .into_iter()
                .map(|[sum]| sum / n as f32)
                .collect();
            let var: Vec<f32> = sums(pass, from, dims, |c, x, _| [(x - mean[c]) * (x - mean[c])])
                .into_iter()
                .map(|[sum]| sum / n as f32)
                .collect();
            for ((stats, mean), var) in stats.chunks_exact_mut(2).zip(&mean).zip(&var) {
                stats.copy_from_slice(&[*mean, 1.0 / (var + eps).sqrt()]);
            }
            let mix = |running: &[f32], new: &[f32], factor: f64| {
                let (keep, add) = ((1.0 - self.momentum) as f32, (self.momentum * factor) as f32);
                running.iter().zip(new).map(|(old, new)| keep * old + add * new).collect()
            };
            pass.set_buffer(running, mix(running_mean, &mean, 1.0));
            pass.set_buffer(running + 1, mix(running_var, &var, unbiased));
        } else {
            let both = running_mean.iter().zip(running_var);
            for (stats, (mean, var)) in stats.chunks_exact_mut(2).zip(both) {
                stats.copy_from_slice(&[*mean, 1.0 / (var + eps).sqrt()]);
            }
        }
        let (weight, bias) =
            if self.affine { (pass.parameter(0), pass.parameter(1)) } else { (&[][..], &[][..]) };
        let mut y = pass.memory(x.numbers().len());
        let len = channels * positions;
        crate::host::threads::each_block(
            &mut y,
            len,
            2 * len,
            #[inline(always)]
            |i, y| {
                let from = &x.numbers()[i * len..][..len];
                let of_channels = y.chunks_exact_mut(positions).zip(from.chunks_exact(positions));
                for (c, ((y, x), stats)) in of_channels.zip(stats.chunks_exact(2)).enumerate() {
                    let w = weight.get(c).copied().unwrap_or(1.0);
                    let b = bias.get(c).copied().unwrap_or(0.0);
                    let (mean, scale) = (stats[0], stats[1] * w);
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale + b);
                }
            },
        );
        let shape = x.shape.clone();
        pass.save(x);
        pass.save(HostTensor::new(vec![channels, 2], stats));
        Ok(HostTensor::new(shape, y))
    }

    /// In training, with `x̂` the normalised number: `dx = weight · scale · (dy − mean(dy) − x̂ ·
    /// mean(dy · x̂))`, means over batch and positions. In evaluation the statistics are constants.
    fn backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        let stats = pass.saved()?;
        let x = pass.saved()?;
        let dims = dims(&x.shape);
        let (batch, channels, positions) = dims;
        let of = stats.numbers();
        let all = sums(pass, [gradient.numbers(), x.numbers()], dims, |c, dy, x| {
            [dy, dy * ((x - of[2 * c]) * of[2 * c + 1])]
        });
        if self.affine {
            pass.gradient(0).iter_mut().zip(&all).for_each(|(g, sums)| *g += sums[1]);
            pass.gradient(1).iter_mut().zip(&all).for_each(|(g, sums)| *g += sums[0]);
        }
        let weight = if self.affine { pass.parameter(0) } else { &[] };
        let n = if pass.is_training() { (batch * positions) as f32 } else { f32::INFINITY };
        let len = channels * positions;
        crate::host::threads::each_block(
            gradient.numbers_mut(),
            len,
            4 * len,
            #[inline(always)]
            |i, dy| {
                let from = &x.numbers()[i * len..][..len];
                let of_channels = dy.chunks_exact_mut(positions).zip(from.chunks_exact(positions));
                for (c, ((dy, x), sums)) in of_channels.zip(&all).enumerate() {
                    let (mean, scale) = (of[2 * c], of[2 * c + 1]);
                    let w = weight.get(c).copied().unwrap_or(1.0) * scale;
                    let (sum, along) = (sums[0] / n, sums[1] / n * scale);
                    dy.iter_mut()
                        .zip(x)
                        .for_each(|(dy, x)| *dy = (*dy - sum - (x - mean) * along) * w);
                }
            },
        );
        pass.free(stats);
        pass.free(x);
        Ok(gradient)
    }
}
