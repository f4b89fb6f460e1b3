//! Normalisation of every position by itself: over its features.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// `(x − mean) / √(var + eps) · weight + bias`, mean and (biased) variance over the last dimension
/// (Ba, Kiros and Hinton 2016, arXiv:1607.06450). As PyTorch's `LayerNorm(features)`.
///
/// Takes `[…, features]` and keeps the shape. Parameters: `weight` and `bias` (features).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNorm {
    /// What is added to the variance. Default 1e-5.
    pub eps: f64,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self { eps: 1e-5 }
    }
}

impl LayerNorm {
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
}

/// `x / √(mean(x²) + eps) · weight`, the mean over the last dimension (Zhang and Sennrich 2019,
/// arXiv:1910.07467). As PyTorch's `RMSNorm(features, eps)`, whose own default of eps depends on
/// the precision.
///
/// Takes `[…, features]` and keeps the shape. Parameter: `weight` (features).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsNorm {
    /// What is added to the mean of the squares. Default 1e-6.
    pub eps: f64,
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self { eps: 1e-6 }
    }
}

impl RmsNorm {
    /// With an eps of 1e-6.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another number added to the mean of the squares.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }
}

impl Sequential {
    /// Appends a [`LayerNorm`] with its defaults.
    #[must_use]
    pub fn layer_norm(self) -> Self {
        self.with(LayerNorm::new())
    }

    /// Appends an [`RmsNorm`] with its defaults.
    #[must_use]
    pub fn rms_norm(self) -> Self {
        self.with(RmsNorm::new())
    }
}

/// Whether `eps` is a number that keeps a root away from 0.
pub(super) fn check_eps(eps: f64) -> Result<(), Misfit> {
    if eps >= 0.0 && eps.is_finite() {
        Ok(())
    } else {
        Err(Misfit::new(format!("its eps must be 0 or more, not {eps}")))
    }
}

fn features(input: &Sample) -> Result<usize, Misfit> {
    match input.as_numbers("[…, features]")?.last() {
        Some(&features) if features > 0 => Ok(features),
        _ => Err(Misfit::new("it takes […, features], at least one of them")),
    }
}

impl Layer for LayerNorm {
    const KIND: &'static str = "LayerNorm";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        check_eps(self.eps)?;
        let features = features(input)?;
        plan.parameter("weight", [features], Role::Norm, Begin::ONES);
        plan.parameter("bias", [features], Role::Norm, Begin::ZEROS);
        plan.flops(8 * input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = x.shape().to_vec();
        let x = x.rows()?;
        let rows = *x.shape();
        let weight = pass.parameter(0, (rows.1,))?.try_broadcast_like::<_, Axis<0>>(&rows)?;
        let bias = pass.parameter(1, (rows.1,))?.try_broadcast_like::<_, Axis<0>>(&rows)?;
        let y = x.try_normalize::<Axis<1>>(self.eps)?.try_mul(weight)?.try_add(bias)?;
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::FullInside
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let weight = pass.parameter(0, "weight")?;
        let bias = pass.parameter(1, "bias")?;
        let attributes =
            [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(self.eps as f32))];
        pass.node("LayerNormalization", &[&x.name, &weight, &bias], &attributes)
    }
}

impl Layer for RmsNorm {
    const KIND: &'static str = "RmsNorm";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        check_eps(self.eps)?;
        plan.parameter("weight", [features(input)?], Role::Norm, Begin::ONES);
        plan.flops(4 * input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = x.shape().to_vec();
        let x = x.rows()?;
        let rows = *x.shape();
        let weight = pass.parameter(0, (rows.1,))?.try_broadcast_like::<_, Axis<0>>(&rows)?;
        let scale = x.with_empty_tape().try_square()?.try_mean::<_, Axis<1>>()?;
        let scale = scale.try_add(E::of(self.eps))?.try_sqrt()?;
        let y = x.try_div(scale.try_broadcast_like::<_, Axis<1>>(&rows)?)?.try_mul(weight)?;
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::FullInside
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let last = Attribute::Ints(vec![x.shape.len() as i64 - 1]);
        let weight = pass.parameter(0, "weight")?;
        let eps = pass.weight("eps", &[], vec![self.eps as f32])?;
        let features = pass.shape(0)[0];
        let ones = pass.weight("ones", &[1, features], vec![1.0; features])?;
        let value = pass.node("Mul", &[&x.name, &x.name], &[])?;
        let axes = [("axes", last), ("keepdims", Attribute::Int(1))];
        let value = pass.node("ReduceMean", &[&value.name], &axes)?;
        let value = pass.node("Add", &[&value.name, &eps], &[])?;
        let value = pass.node("Sqrt", &[&value.name], &[])?;
        // The evaluator broadcasts constants only, so the row's one number is spread beforehand.
        let value = pass.node("MatMul", &[&value.name, &ones], &[])?;
        let value = pass.node("Div", &[&x.name, &value.name], &[])?;
        pass.node("Mul", &[&value.name, &weight], &[])
    }
}

impl HostLayer for LayerNorm {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        forward::<true>(self.eps as f32, pass, x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        backward::<true>(pass, gradient)
    }
}

impl HostLayer for RmsNorm {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        forward::<false>(self.eps as f32, pass, x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        backward::<false>(pass, gradient)
    }
}

/// Both layers on the processor: without `CENTERED` the mean counts as 0, and there is no bias.
fn forward<const CENTERED: bool>(
    eps: f32,
    pass: &mut HostPass<'_>,
    x: HostTensor,
) -> Result<HostTensor, Fault> {
    let (len, width) = (x.numbers().len(), x.last().max(1));
    let (weight, bias) = (pass.parameter(0), pass.parameter(1));
    let mut y = pass.memory(len);
    // Mean and 1 / deviation of every row.
    let mut stats = pass.memory(len / width * 2);
    let share = rows::rows_of_share(width);
    rows::each_pair(
        &mut y,
        share * width,
        &mut stats,
        share * 2,
        #[inline(always)]
        |i, y, stats| {
            let from = &x.numbers()[i * share * width..][..y.len()];
            let all = y.chunks_exact_mut(width).zip(from.chunks_exact(width));
            for ((y, x), stats) in all.zip(stats.chunks_exact_mut(2)) {
                let (mean, var) = if CENTERED {
                    rows::moments(x)
                } else {
                    (0.0, rows::sum(x, |x| x * x) / width as f32)
                };
                let scale = 1.0 / (var + eps).sqrt();
                if CENTERED {
                    for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                        *y = (x - mean) * scale * w + b;
                    }
                } else {
                    for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                        *y = x * scale * w;
                    }
                }
                stats.copy_from_slice(&[mean, scale]);
            }
        },
    );
    let shape = x.shape.clone();
    pass.save(x);
    pass.save(HostTensor::new(vec![len / width, 2], stats));
    Ok(HostTensor::new(shape, y))
}

/// With `g = dy · weight` and `x̂` the normalised row: `dx = (g − mean(g) − x̂ · mean(g · x̂)) ·
/// scale`, where `mean(g)` is left out if nothing was centred.
fn backward<const CENTERED: bool>(
    pass: &mut HostPass<'_>,
    mut gradient: HostTensor,
) -> Result<HostTensor, Fault> {
    let stats = pass.saved()?;
    let x = pass.saved()?;
    let (len, width) = (x.numbers().len(), x.last().max(1));
    let share = rows::rows_of_share(width);
    let weight = pass.parameter(0);
    let shares = (len / width).div_ceil(share);
    // Each share's sums for the gradients in weight and bias; added in the order of the shares.
    let mut partial = pass.zeros(shares * 2 * width);
    rows::each_pair(
        gradient.numbers_mut(),
        share * width,
        &mut partial,
        2 * width,
        #[inline(always)]
        |i, dy, partial| {
            let x = &x.numbers()[i * share * width..][..dy.len()];
            let stats = &stats.numbers()[i * share * 2..];
            let (of_weight, of_bias) = partial.split_at_mut(width);
            let all = dy.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for ((dy, x), stats) in all.zip(stats.chunks_exact(2)) {
                let (mean, scale) = (stats[0], stats[1]);
                let [sum, along] = rows::sums([&*dy, x, weight], |dy, x, w| {
                    let g = dy * w;
                    [g, g * ((x - mean) * scale)]
                });
                let sum = if CENTERED { sum / width as f32 } else { 0.0 };
                let along = along / width as f32;
                let sums = of_weight.iter_mut().zip(of_bias.iter_mut());
                for (((dy, x), w), (of_weight, of_bias)) in
                    dy.iter_mut().zip(x).zip(weight).zip(sums)
                {
                    let normal = (x - mean) * scale;
                    *of_weight += *dy * normal;
                    *of_bias += *dy;
                    *dy = (*dy * w - sum - normal * along) * scale;
                }
            }
        },
    );
    for partial in partial.chunks_exact(2 * width) {
        let (of_weight, of_bias) = partial.split_at(width);
        pass.gradient(0).iter_mut().zip(of_weight).for_each(|(g, more)| *g += more);
        pass.gradient(1).iter_mut().zip(of_bias).for_each(|(g, more)| *g += more);
    }
    pass.free_memory(partial);
    pass.free(stats);
    pass.free(x);
    Ok(gradient)
}
