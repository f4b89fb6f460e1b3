//! The convolution of images.

use dfdx::shapes::Axes3;
use dfdx::tensor_ops::PermuteTo;
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Padding, Pair, Sequential, convolution};
use crate::begin::Begin;
use crate::host::{Convolution, HostLayer, HostPass, HostTensor, bias_gradient};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::window::{Span, Window};

/// `y[o, p] = b[o] + Σ W[o, c, k] · x[c, p · stride + k · dilation − padding]`, over the channels c
/// of o's group and the elements k of the kernel: `[channels, height, width]` becomes
/// `[out_channels, height′, width′]` with
/// `height′ = ⌊(height + 2 · padding − dilation · (kernel_size − 1) − 1) / stride⌋ + 1`.
///
/// Parameters: `weight` (out_channels, channels / groups, kernel height, kernel width), `bias`
/// (out_channels). As `torch.nn.Conv2d`, padding with zeros; LeCun et al. 1989.
///
/// ```
/// use trainbook_nn::layer::{Conv2d, Sequential};
///
/// let net = Sequential::new().conv2d(16, 3).relu().with(Conv2d::new(32, (3, 5)).stride(2).padding(1));
/// assert_eq!(net.len(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// How many channels it gives.
    pub out_channels: usize,
    /// How many it takes; without it, as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_channels: Option<usize>,
    /// Height and width of the kernel. Default 3×3.
    #[serde(default = "three")]
    pub kernel_size: Pair,
    /// How far the kernel moves. Default 1×1.
    #[serde(default = "one")]
    pub stride: Pair,
    /// How far the image is padded with zeros. Default 0×0.
    #[serde(default = "none")]
    pub padding: Padding<Pair>,
    /// How far the kernel's elements are from each other. Default 1×1.
    #[serde(default = "one")]
    pub dilation: Pair,
    /// Into how many groups the channels are divided, each with kernels of its own; as many as
    /// there are channels make it depthwise. Default 1.
    #[serde(default = "single")]
    pub groups: usize,
    /// Whether there is a `b`. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn three() -> Pair {
    3.into()
}

fn one() -> Pair {
    1.into()
}

fn none() -> Padding<Pair> {
    0.into()
}

fn single() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl Conv2d {
    /// To so many channels, with a kernel of this size, a number or height and width: stride 1, no
    /// padding, with a bias.
    pub fn new(out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            out_channels,
            in_channels: None,
            kernel_size: kernel_size.into(),
            stride: one(),
            padding: none(),
            dilation: one(),
            groups: 1,
            bias: true,
        }
    }

    /// The same, and so many channels it must get.
    #[must_use]
    pub fn in_channels(mut self, in_channels: usize) -> Self {
        self.in_channels = Some(in_channels);
        self
    }

    /// The same with a kernel that moves so far.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = stride.into();
        self
    }

    /// The same, padded so far: a number, height and width, or [`Padding::Same`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<Pair>>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The same, padded so that the output is as large as the input.
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// The same with the kernel's elements so far from each other.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// The same with its channels in so many groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// What it comes to on such images.
    pub(super) fn on(
        &self,
        channels: usize,
        height: usize,
        width: usize,
    ) -> Result<Convolution, Misfit> {
        convolution::check_channels(channels, self.in_channels, self.out_channels, self.groups)?;
        let Self { kernel_size, stride, padding, dilation, .. } = self;
        let y = padding.sides(|p| p.height, kernel_size.height, stride.height, dilation.height)?;
        let x = padding.sides(|p| p.width, kernel_size.width, stride.width, dilation.width)?;
        let window = Window {
            y: Span::new(height, kernel_size.height, stride.height, y, dilation.height)?,
            x: Span::new(width, kernel_size.width, stride.width, x, dilation.width)?,
        };
        Ok(Convolution {
            window,
            groups: self.groups,
            image_channels: channels,
            channels: self.out_channels,
        })
    }

    fn on_batch(&self, shape: &[usize]) -> Result<Convolution, Fault> {
        match *shape {
            [_, channels, height, width] => {
                self.on(channels, height, width).map_err(|misfit| Fault::new(misfit.reason))
            }
            _ => {
                Err(Fault::new(format!("it takes [batch, channels, height, width], not {shape:?}")))
            }
        }
    }

    /// Declares its parameters, with a weight of so many dimensions, and its cost.
    pub(super) fn declare(&self, plan: &mut Plan<'_>, on: &Convolution, weight: Vec<usize>) {
        let (elements, positions) = (on.window.elements(), on.window.positions());
        let fan_in = on.image_channels / self.groups * elements;
        let fan_out = self.out_channels / self.groups * elements;
        plan.parameter("weight", weight, Role::Weight, Begin::Weight { fan_in, fan_out });
        if self.bias {
            plan.parameter("bias", [self.out_channels], Role::Bias, Begin::Bias { fan_in });
        }
        plan.flops(self.out_channels * positions * (2 * fan_in + usize::from(self.bias)));
    }

    /// The ONNX form in so many dimensions.
    pub(super) fn in_onnx(
        &self,
        pass: &mut OnnxPass<'_>,
        x: &Value,
        on: &Convolution,
        dimensions: usize,
    ) -> Result<Value, Fault> {
        let weight = pass.parameter(0, "weight")?;
        let mut operands = vec![x.name.as_str(), weight.as_str()];
        let bias = if self.bias { Some(pass.parameter(1, "bias")?) } else { None };
        operands.extend(bias.as_deref());
        pass.node("Conv", &operands, &convolution::attributes(on, dimensions))
    }
}

impl Sequential {
    /// Appends a [`Conv2d`] layer to so many channels, with a kernel of this size, a number or
    /// height and width; no padding.
    #[must_use]
    pub fn conv2d(self, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        self.with(Conv2d::new(out_channels, kernel_size))
    }
}

impl Layer for Conv2d {
    const KIND: &'static str = "Conv2d";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [channels, height, width] = input.dims("[channels, height, width]")?;
        let on = self.on(channels, height, width)?;
        let Pair { height, width } = self.kernel_size;
        self.declare(plan, &on, vec![self.out_channels, channels / self.groups, height, width]);
        Ok(Sample::numbers([self.out_channels, on.window.y.count, on.window.x.count]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let on = self.on_batch(x.shape())?;
        let shape = vec![x.batch(), self.out_channels, on.window.y.count, on.window.x.count];
        let (elements, groups) = (on.window.elements(), self.groups);
        let rows = on.image_channels / groups * elements;
        let weight = pass
            .parameter(0, (groups, self.out_channels / groups, rows))?
            .try_permute::<_, Axes3<0, 2, 1>>()?;
        let table = on.window.of_image();
        let y = convolution::on_dfdx(pass, x, &table, elements, weight, self.bias)?;
        Flow::shaped(y, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let input = &pass.layer().input.shape;
        let shape: Vec<usize> = std::iter::once(1).chain(input.iter().copied()).collect();
        let on = self.on_batch(&shape)?;
        self.in_onnx(pass, x, &on, 2)
    }

    fn note(&self) -> String {
        let Self { out_channels, kernel_size, stride, padding, dilation, groups, bias, .. } = *self;
        let mut note = format!("{out_channels}, {kernel_size}");
        if stride != one() {
            note += &format!(", stride {stride}");
        }
        match padding {
            Padding::Same => note += ", padding same",
            Padding::By(by) if by != 0.into() => note += &format!(", padding {by}"),
            Padding::By(_) => {}
        }
        if dilation != one() {
            note += &format!(", dilation {dilation}");
        }
        if groups != 1 {
            note += &format!(", {groups} groups");
        }
        if !bias {
            note += ", no bias";
        }
        note
    }
}

impl HostLayer for Conv2d {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let on = self.on_batch(&x.shape)?;
        let shape = vec![x.batch(), self.out_channels, on.window.y.count, on.window.x.count];
        let mut y = pass.memory(shape.iter().product());
        let mut scratch = pass.memory(on.scratch(x.batch()));
        let bias = self.bias.then(|| pass.parameter(1));
        on.positions_of(x.numbers(), pass.parameter(0), bias, &mut y, &mut scratch)?;
        pass.free_memory(scratch);
        pass.save(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let x = pass.saved()?;
        let on = self.on_batch(&x.shape)?;
        let mut scratch = pass.memory(on.scratch(x.batch()));
        on.weight_gradient(x.numbers(), gradient.numbers(), pass.gradient(0), &mut scratch)?;
        if self.bias {
            bias_gradient(gradient.numbers(), on.window.positions(), pass.gradient(1));
        }
        let shape = x.shape.clone();
        pass.free(x);
        if !pass.wants_input_gradient() {
            pass.free_memory(scratch);
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let mut dx = pass.memory(shape.iter().product());
        on.image_of(gradient.numbers(), pass.parameter(0), None, &mut dx, &mut scratch)?;
        pass.free_memory(scratch);
        pass.free(gradient);
        Ok(HostTensor::new(shape, dx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::layer::{AnyLayer, AvgPool2d, ConvTranspose2d, MaxPool2d};
    use crate::trial::{Outcome, Trial};

    fn reason(layer: impl Into<AnyLayer>, shape: [usize; 3]) -> String {
        Trial::new(&layer.into(), &Sample::numbers(shape)).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let conv = Conv2d::new(8, 3);
        for (found, expected) in [
            (
                reason(conv, [4, 2, 6]),
                "reaches over 3 (kernel_size 3), and a side of the sample has 2",
            ),
            (reason(conv.dilation(3).padding(1), [4, 4, 9]), "kernel_size 3, dilation 3"),
            (reason(conv.groups(3), [4, 6, 6]), "groups, 3, do not divide the 4 channels"),
            (reason(conv.groups(3), [3, 6, 6]), "groups, 3, do not divide its out_channels, 8"),
            (reason(conv.in_channels(3), [4, 6, 6]), "takes 3 channels, not 4"),
            (reason(conv.same().stride(2), [4, 6, 6]), "\"same\" goes with stride 1 only"),
            (reason(conv.stride(0), [4, 6, 6]), "stride must be at least 1"),
            (reason(Conv2d::new(0, 3), [4, 6, 6]), "out_channels must be at least 1"),
            (reason(MaxPool2d::new(2).padding(2), [4, 6, 6]), "padding, 2, must be at most half"),
            (reason(AvgPool2d::new(3), [4, 2, 2]), "reaches over 3"),
            (reason(ConvTranspose2d::new(2, 3).output_padding(1), [4, 6, 6]), "output_padding, 1"),
            (reason(ConvTranspose2d::new(2, 3).padding(4), [4, 6, 6]), "cuts off"),
        ] {
            assert!(found.contains(expected), "{found:?} does not say {expected:?}");
        }
    }

    /// Large enough that work is divided: several samples and several lines to a product, and
    /// shares of the batch.
    fn outcome(threads: usize, side: usize) -> (Outcome, Outcome) {
        let layer = Conv2d::new(8, 3).padding(1).groups(2);
        let mut trial = Trial::new(&layer.into(), &Sample::numbers([6, side, side])).unwrap();
        let number = |i: usize| ((i * 7919) % 1013) as f64 / 1013.0 - 0.5;
        trial.values.iter_mut().enumerate().for_each(|(i, v)| *v = number(i));
        let (rows, len) = (19, side * side);
        let input: Vec<f64> = (0..rows * 6 * len).map(number).collect();
        let upstream: Vec<f64> = (0..rows * 8 * len).map(|i| number(i + 5)).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let evaluation = Context::EVALUATION;
            let host = trial.on_host(&input, rows, evaluation, &upstream).unwrap();
            (host, trial.on_dfdx::<f64>(&input, rows, evaluation, &upstream).unwrap())
        })
    }

    #[test]
    fn divided_work_gives_the_same_numbers_on_any_number_of_threads() {
        for side in [5, 12, 50] {
            let (one, reference) = outcome(1, side);
            assert_eq!(one, outcome(3, side).0);
            for (found, expected) in [
                (&one.output, &reference.output),
                (&one.input_gradient, &reference.input_gradient),
                (&one.gradients, &reference.gradients),
            ] {
                for (a, b) in found.iter().zip(expected) {
                    assert!((a - b).abs() <= 1e-4 * (1.0 + b.abs()), "side {side}: {a}, not {b}");
                }
            }
        }
    }
}
