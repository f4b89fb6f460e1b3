//! The transposed convolution of images.

use dfdx::shapes::Axes4;
use dfdx::tensor::OwnedTape;
use dfdx::tensor_ops::{PermuteTo, ReshapeTo};
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Pair, Sequential, convolution};
use crate::begin::Begin;
use crate::host::{Convolution, HostLayer, HostPass, HostTensor, bias_gradient};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::window::{Span, Window};

/// What a [`Conv2d`](super::Conv2d) of these options does to gradients, as a layer: each pixel of
/// the input paints the kernel into the output, `stride` apart, so that images become larger.
/// `[channels, height, width]` becomes `[out_channels, height′, width′]` with `height′ =
/// (height − 1) · stride − 2 · padding + dilation · (kernel_size − 1) + output_padding + 1`.
///
/// Parameters: `weight` (channels, out_channels / groups, kernel height, kernel width), `bias`
/// (out_channels). As `torch.nn.ConvTranspose2d`; Zeiler et al. 2010, "Deconvolutional Networks".
/// In the fan-in of its weight a stride counts: with stride 2 an output is made of a quarter of the
/// kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose2d {
    /// How many channels it gives.
    pub out_channels: usize,
    /// How many it takes; without it, as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_channels: Option<usize>,
    /// Height and width of the kernel. Default 3×3.
    #[serde(default = "three")]
    pub kernel_size: Pair,
    /// How far apart the input's pixels are in the output. Default 1×1.
    #[serde(default = "one")]
    pub stride: Pair,
    /// How much is cut off from each side of the output. Default 0×0.
    #[serde(default = "zero")]
    pub padding: Pair,
    /// How much is added below and on the right; less than the stride or the dilation. Default 0×0.
    #[serde(default = "zero")]
    pub output_padding: Pair,
    /// How far the kernel's elements are from each other. Default 1×1.
    #[serde(default = "one")]
    pub dilation: Pair,
    /// Into how many groups the channels are divided, each with kernels of its own. Default 1.
    #[serde(default = "single")]
    pub groups: usize,
    /// Whether there is a bias. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn three() -> Pair {
    3.into()
}

fn one() -> Pair {
    1.into()
}

fn zero() -> Pair {
    0.into()
}

fn single() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl ConvTranspose2d {
    /// To so many channels, with a kernel of this size, a number or height and width: stride 1, no
    /// padding, with a bias.
    pub fn new(out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            out_channels,
            in_channels: None,
            kernel_size: kernel_size.into(),
            stride: one(),
            padding: zero(),
            output_padding: zero(),
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

    /// The same with the input's pixels so far apart in the output.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = stride.into();
        self
    }

    /// The same with so much cut off from each side of the output.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The same with so much added below and on the right of the output.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Self {
        self.output_padding = output_padding.into();
        self
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

    /// One dimension of the convolution whose transpose this is; its image is the output.
    fn span(&self, size: usize, of: impl Fn(&Pair) -> usize) -> Result<Span, Misfit> {
        let [kernel, stride, padding, more, dilation] =
            [self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation]
                .map(|pair| of(&pair));
        for (name, value) in [("kernel_size", kernel), ("stride", stride), ("dilation", dilation)] {
            if value == 0 {
                return Err(Misfit::new(format!("its {name} must be at least 1, not 0")));
            }
        }
        if more >= stride.max(dilation) {
            return Err(Misfit::new(format!(
                "its output_padding, {more}, must be less than its stride, {stride}, or its \
                 dilation, {dilation}"
            )));
        }
        let whole = size.saturating_sub(1) * stride + dilation * (kernel - 1) + more + 1;
        match whole.checked_sub(2 * padding) {
            Some(out) if out > 0 && size > 0 => Ok(Span {
                size: out,
                kernel,
                stride,
                before: padding,
                after: padding,
                dilation,
                count: size,
            }),
            _ => Err(Misfit::new(format!(
                "its padding, {padding}, cuts off from both sides all of the {whole} that {size} become"
            ))),
        }
    }

    fn on(&self, channels: usize, height: usize, width: usize) -> Result<Convolution, Misfit> {
        convolution::check_channels(channels, self.in_channels, self.out_channels, self.groups)?;
        let window = Window {
            y: self.span(height, |pair| pair.height)?,
            x: self.span(width, |pair| pair.width)?,
        };
        Ok(Convolution { window, groups: self.groups, image_channels: self.out_channels, channels })
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
}

impl Sequential {
    /// Appends a [`ConvTranspose2d`] layer to so many channels, with a kernel of this size, a
    /// number or height and width; stride 1, no padding.
    #[must_use]
    pub fn conv_transpose2d(self, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        self.with(ConvTranspose2d::new(out_channels, kernel_size))
    }
}

impl Layer for ConvTranspose2d {
    const KIND: &'static str = "ConvTranspose2d";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [channels, height, width] = input.dims("[channels, height, width]")?;
        let on = self.on(channels, height, width)?;
        let (elements, outputs) = (on.window.elements(), self.out_channels / self.groups);
        let apart = self.stride.height * self.stride.width;
        // What PyTorch takes for the fan-in, reading the weight as that of a convolution.
        let of_pytorch = outputs * elements;
        plan.parameter(
            "weight",
            [channels, outputs, self.kernel_size.height, self.kernel_size.width],
            Role::Weight,
            Begin::WeightWithin {
                bound: 1.0 / (of_pytorch as f64).sqrt(),
                fan_in: (channels / self.groups * elements).div_ceil(apart),
                fan_out: outputs * elements,
            },
        );
        let output = Sample::numbers([self.out_channels, on.window.y.size, on.window.x.size]);
        plan.flops(2 * input.size() * outputs * elements);
        if self.bias {
            let begin = Begin::Bias { fan_in: of_pytorch };
            plan.parameter("bias", [self.out_channels], Role::Bias, begin);
            plan.flops(output.size());
        }
        Ok(output)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let on = self.on_batch(x.shape())?;
        let shape = vec![x.batch(), self.out_channels, on.window.y.size, on.window.x.size];
        let (elements, groups) = (on.window.elements(), self.groups);
        let (inputs, outputs) = (on.channels / groups, self.out_channels / groups);
        let weight = pass
            .parameter(0, (groups, inputs, outputs, elements))?
            // On a tape of its own: to bring it in order is an operation with a way back.
            .retaped::<OwnedTape<E, D>>()
            .try_permute::<_, Axes4<0, 1, 3, 2>>()?
            .try_reshape_like(&(groups, inputs * elements, outputs))?;
        let table = on.window.of_positions();
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
        let weight = pass.parameter(0, "weight")?;
        let mut operands = vec![x.name.as_str(), weight.as_str()];
        let bias = if self.bias { Some(pass.parameter(1, "bias")?) } else { None };
        operands.extend(bias.as_deref());
        let mut attributes = convolution::attributes(&on, 2);
        let more = [self.output_padding.height as i64, self.output_padding.width as i64];
        attributes.push(("output_padding", Attribute::Ints(more.to_vec())));
        pass.node("ConvTranspose", &operands, &attributes)
    }

    fn note(&self) -> String {
        let Self { out_channels, kernel_size, groups, bias, .. } = *self;
        let mut note = format!("{out_channels}, {kernel_size}");
        for (name, value, default) in [
            ("stride", self.stride, one()),
            ("padding", self.padding, zero()),
            ("output padding", self.output_padding, zero()),
            ("dilation", self.dilation, one()),
        ] {
            if value != default {
                note += &format!(", {name} {value}");
            }
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

impl HostLayer for ConvTranspose2d {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let on = self.on_batch(&x.shape)?;
        let shape = vec![x.batch(), self.out_channels, on.window.y.size, on.window.x.size];
        let mut y = pass.memory(shape.iter().product());
        let mut scratch = pass.memory(on.scratch(x.batch()));
        let bias = self.bias.then(|| pass.parameter(1));
        on.image_of(x.numbers(), pass.parameter(0), bias, &mut y, &mut scratch)?;
        pass.free_memory(scratch);
        pass.save(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let x = pass.saved()?;
        let on = self.on_batch(&x.shape)?;
        let mut scratch = pass.memory(on.scratch(x.batch()));
        on.weight_gradient(gradient.numbers(), x.numbers(), pass.gradient(0), &mut scratch)?;
        if self.bias {
            bias_gradient(gradient.numbers(), on.window.image(), pass.gradient(1));
        }
        let shape = x.shape.clone();
        pass.free(x);
        if !pass.wants_input_gradient() {
            pass.free_memory(scratch);
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let mut dx = pass.memory(shape.iter().product());
        on.positions_of(gradient.numbers(), pass.parameter(0), None, &mut dx, &mut scratch)?;
        pass.free_memory(scratch);
        pass.free(gradient);
        Ok(HostTensor::new(shape, dx))
    }
}
