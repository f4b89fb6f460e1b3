//! The fully connected layer.

use dfdx::tensor_ops::{BroadcastTo, PermuteTo, TryAdd, TryMatMul};
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, Matrix, gemm, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// `y = x Wᵀ + b` on the last dimension: `[…, in_features]` becomes `[…, out_features]`.
///
/// Parameters: `weight` (out, in), `bias` (out), which begin as [`Init`](crate::Init) says. In two
/// dimensions and more it is applied to every position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// How many features it gives.
    pub out_features: usize,
    /// How many features it takes; without it, as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_features: Option<usize>,
    /// Whether there is a `b`. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn yes() -> bool {
    true
}

impl Linear {
    /// With a bias, to so many features.
    pub fn new(out_features: usize) -> Self {
        Self { out_features, in_features: None, bias: true }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The same, and so many features it must get.
    #[must_use]
    pub fn in_features(mut self, in_features: usize) -> Self {
        self.in_features = Some(in_features);
        self
    }
}

impl Sequential {
    /// Appends a [`Linear`] layer to so many features.
    #[must_use]
    pub fn linear(self, out_features: usize) -> Self {
        self.with(Linear::new(out_features))
    }
}

impl Layer for Linear {
    const KIND: &'static str = "Linear";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let mut shape = input.as_numbers("[…, features]")?.to_vec();
        let Some(last) = shape.last_mut() else {
            return Err(Misfit::new("it takes […, features]"));
        };
        if self.in_features.is_some_and(|expected| expected != *last) {
            return Err(Misfit::new(format!(
                "it takes {} features",
                self.in_features.unwrap_or_default()
            )));
        }
        if self.out_features == 0 {
            return Err(Misfit::new("its out_features must be at least 1, not 0"));
        }
        let (fan_in, fan_out) = (*last, self.out_features);
        *last = self.out_features;
        plan.parameter(
            "weight",
            [fan_out, fan_in],
            Role::Weight,
            Begin::Weight { fan_in, fan_out },
        );
        if self.bias {
            plan.parameter("bias", [fan_out], Role::Bias, Begin::Bias { fan_in });
        }
        let padding = input.padding.filter(|_| shape.len() > 1);
        let output = Sample::numbers(shape).padded(padding);
        plan.flops(output.size() * (2 * fan_in + usize::from(self.bias)));
        Ok(output)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let mut shape = x.shape().to_vec();
        let x = x.rows()?;
        let (rows, inputs) = *dfdx::shapes::HasShape::shape(&x);
        let weight = pass.parameter(0, (self.out_features, inputs))?;
        let mut y = x.try_matmul(weight.try_permute::<_, dfdx::shapes::Axes2<1, 0>>()?)?;
        if self.bias {
            let bias = pass.parameter(1, (self.out_features,))?;
            y = y.try_add(
                bias.try_broadcast_like::<_, dfdx::shapes::Axis<0>>(&(rows, self.out_features))?,
            )?;
        }
        if let Some(last) = shape.last_mut() {
            *last = self.out_features;
        }
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let inputs = pass.shape(0)[1];
        if x.shape.len() == 2 {
            let weight = pass.parameter(0, "weight")?;
            let mut operands = vec![x.name.as_str(), weight.as_str()];
            let bias = if self.bias { Some(pass.parameter(1, "bias")?) } else { None };
            operands.extend(bias.as_deref());
            return pass.node("Gemm", &operands, &[("transB", Attribute::Int(1))]);
        }
        // Gemm takes matrices only.
        let values = pass.values(0);
        let transposed = (0..inputs)
            .flat_map(|i| (0..self.out_features).map(move |o| values[o * inputs + i]))
            .collect();
        let weight = pass.weight("weight_t", &[inputs, self.out_features], transposed)?;
        let y = pass.node("MatMul", &[&x.name, &weight], &[])?;
        if !self.bias {
            return Ok(y);
        }
        let bias = pass.parameter(1, "bias")?;
        pass.node("Add", &[&y.name, &bias], &[])
    }

    fn note(&self) -> String {
        let bias = if self.bias { "" } else { ", no bias" };
        format!("{}{bias}", self.out_features)
    }
}

impl HostLayer for Linear {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let (inputs, outputs) = (x.last(), self.out_features);
        let rows = x.numbers().len() / inputs;
        let mut y = pass.memory(rows * outputs);
        if self.bias {
            let bias = pass.parameter(1);
            y.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
        }
        let weight = Matrix::new(pass.parameter(0), outputs, inputs);
        gemm(Matrix::new(x.numbers(), rows, inputs), weight.t(), &mut y, self.bias);
        let mut shape = x.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        pass.save(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let x = pass.saved()?;
        let (inputs, outputs) = (x.last(), self.out_features);
        let rows = x.numbers().len() / inputs;
        let dy = Matrix::new(gradient.numbers(), rows, outputs);
        gemm(dy.t(), Matrix::new(x.numbers(), rows, inputs), pass.gradient(0), true);
        if self.bias {
            rows::add_all(gradient.numbers(), pass.gradient(1));
        }
        let shape = x.shape.clone();
        pass.free(x);
        let dx = if pass.wants_input_gradient() {
            let mut dx = pass.memory(rows * inputs);
            gemm(dy, Matrix::new(pass.parameter(0), outputs, inputs), &mut dx, false);
            HostTensor::new(shape, dx)
        } else {
            HostTensor::none()
        };
        pass.free(gradient);
        Ok(dx)
    }
}
