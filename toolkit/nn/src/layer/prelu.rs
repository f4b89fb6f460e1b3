//! A rectifier that learns its slope.

use dfdx::shapes::{Axes2, Axis};
use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{BroadcastTo, ReshapeTo, TryAdd, TryMul};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// `x` above 0, else `weight · x` (He et al. 2015, arXiv:1502.01852): one slope for all, or one for
/// each channel, the first dimension of a sample.
///
/// Parameter: `weight` (num_parameters), which begins at 0.25 and does not decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PRelu {
    /// How many slopes there are: 1, or as many as the sample has channels. Default 1.
    pub num_parameters: usize,
}

/// Where slopes begin.
const SLOPE: f64 = 0.25;

impl Default for PRelu {
    fn default() -> Self {
        Self { num_parameters: 1 }
    }
}

impl PRelu {
    /// With one slope for each of so many channels.
    pub fn new(num_parameters: usize) -> Self {
        Self { num_parameters }
    }
}

impl Sequential {
    /// Appends a [`PRelu`] with one slope for all.
    #[must_use]
    pub fn prelu(self) -> Self {
        self.with(PRelu::default())
    }
}

impl Layer for PRelu {
    const KIND: &'static str = "PRelu";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let channels = input.as_numbers("[channels, …]")?[0];
        if self.num_parameters != 1 && self.num_parameters != channels {
            return Err(Misfit::new(format!(
                "it has {} slopes: it takes one for all, or one for each of the {channels} channels",
                self.num_parameters
            )));
        }
        plan.parameter("weight", [self.num_parameters], Role::Norm, Begin::Constant(SLOPE as f32));
        plan.flops(2 * input.size());
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let shape = x.shape().to_vec();
        let flat = x.flat();
        let below = flat.with_empty_tape().try_clamp(f64::NEG_INFINITY, 0.0)?;
        let above = flat.try_relu()?;
        let len = shape.iter().product::<usize>();
        let below = if self.num_parameters == 1 {
            let slope = pass.parameter(0, ())?;
            below.try_mul(slope.try_broadcast_like::<_, Axis<0>>(&(len,))?)?
        } else {
            let inner = shape.iter().skip(2).product::<usize>();
            let cube = (shape.first().copied().unwrap_or(0), self.num_parameters, inner);
            let slope = pass.parameter(0, (self.num_parameters,))?;
            let slope = slope.try_broadcast_like::<_, Axes2<0, 2>>(&cube)?;
            below.try_reshape_like(&cube)?.try_mul(slope)?.try_reshape_like(&(len,))?
        };
        Flow::shaped(above.try_add(below)?, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn gain(&self) -> Option<f64> {
        // That of a leaky ReLU whose slope is where this one begins.
        Some((2.0 / (1.0 + SLOPE.powi(2))).sqrt())
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let mut shape = vec![self.num_parameters];
        if self.num_parameters > 1 {
            // ONNX aligns the slopes with the last dimensions.
            shape.resize(x.shape.len() - 1, 1);
        }
        let slope = pass.weight("weight", &shape, pass.values(0).to_vec())?;
        pass.node("PRelu", &[&x.name, &slope], &[])
    }

    fn note(&self) -> String {
        if self.num_parameters == 1 { String::new() } else { self.num_parameters.to_string() }
    }
}

impl PRelu {
    /// How many numbers in a row have the same slope.
    fn run(&self, x: &HostTensor) -> usize {
        match self.num_parameters {
            1 => x.numbers().len().max(1),
            _ => x.shape.iter().skip(2).product::<usize>().max(1),
        }
    }
}

impl HostLayer for PRelu {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let slopes = pass.parameter(0);
        let run = self.run(&x);
        let mut y = pass.memory(x.numbers().len());
        let from = x.numbers();
        threads::each_share(&mut y, |at, share| {
            for (i, (y, &x)) in share.iter_mut().zip(&from[at..]).enumerate() {
                let slope = slopes[(at + i) / run % slopes.len()];
                *y = if x > 0.0 { x } else { slope * x };
            }
        });
        let shape = x.shape.clone();
        pass.save(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(
        &self,
        pass: &mut HostPass<'_>,
        mut gradient: HostTensor,
    ) -> Result<HostTensor, Fault> {
        let x = pass.saved()?;
        let run = self.run(&x);
        let runs = x.numbers().chunks(run).zip(gradient.numbers().chunks(run));
        let slope_gradients = pass.gradient(0);
        let count = slope_gradients.len();
        for (i, (x, g)) in runs.enumerate() {
            let below = x.iter().zip(g).filter(|(x, _)| **x <= 0.0);
            // In f64, because one slope may have a whole batch behind it.
            let sum: f64 = below.map(|(x, g)| f64::from(*x) * f64::from(*g)).sum();
            slope_gradients[i % count] += sum as f32;
        }
        let slopes = pass.parameter(0);
        let from = x.numbers();
        threads::each_share(gradient.numbers_mut(), |at, share| {
            for (i, (g, &x)) in share.iter_mut().zip(&from[at..]).enumerate() {
                if x <= 0.0 {
                    *g *= slopes[(at + i) / run % slopes.len()];
                }
            }
        });
        pass.free(x);
        Ok(gradient)
    }
}
