//! The convolution of lengths.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Conv2d, Fault, Layer, Misfit, Padding, Pair, Sequential, lengthwise};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// `y[o, p] = b[o] + Σ W[o, c, k] · x[c, p · stride + k · dilation − padding]`, over the channels c
/// of o's group and the elements k of the kernel: `[channels, length]` becomes
/// `[out_channels, length′]` with
/// `length′ = ⌊(length + 2 · padding − dilation · (kernel_size − 1) − 1) / stride⌋ + 1`.
///
/// Parameters: `weight` (out_channels, channels / groups, kernel_size), `bias` (out_channels). As
/// `torch.nn.Conv1d`, padding with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv1d {
    /// How many channels it gives.
    pub out_channels: usize,
    /// How many it takes; without it, as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_channels: Option<usize>,
    /// How long the kernel is. Default 3.
    #[serde(default = "three")]
    pub kernel_size: usize,
    /// How far the kernel moves. Default 1.
    #[serde(default = "one")]
    pub stride: usize,
    /// How far the input is padded with zeros. Default 0.
    #[serde(default = "none")]
    pub padding: Padding<usize>,
    /// How far the kernel's elements are from each other. Default 1.
    #[serde(default = "one")]
    pub dilation: usize,
    /// Into how many groups the channels are divided, each with kernels of its own; as many as
    /// there are channels make it depthwise. Default 1.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a `b`. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn three() -> usize {
    3
}

fn one() -> usize {
    1
}

fn none() -> Padding<usize> {
    0.into()
}

fn yes() -> bool {
    true
}

impl Conv1d {
    /// To so many channels, with a kernel of this length: stride 1, no padding, with a bias.
    pub fn new(out_channels: usize, kernel_size: usize) -> Self {
        Self {
            out_channels,
            in_channels: None,
            kernel_size,
            stride: 1,
            padding: none(),
            dilation: 1,
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
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The same, padded so far: a number, or [`Padding::Same`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<usize>>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The same, padded so that the output is as long as the input.
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// The same with the kernel's elements so far from each other.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = dilation;
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

    /// The same on images of height 1.
    fn on_images(&self) -> Conv2d {
        Conv2d {
            out_channels: self.out_channels,
            in_channels: self.in_channels,
            kernel_size: [1, self.kernel_size].into(),
            stride: [1, self.stride].into(),
            padding: match self.padding {
                Padding::Same => Padding::Same,
                Padding::By(by) => Padding::By(Pair { height: 0, width: by }),
            },
            dilation: [1, self.dilation].into(),
            groups: self.groups,
            bias: self.bias,
        }
    }
}

impl Sequential {
    /// Appends a [`Conv1d`] layer to so many channels, with a kernel of this length; no padding.
    #[must_use]
    pub fn conv1d(self, out_channels: usize, kernel_size: usize) -> Self {
        self.with(Conv1d::new(out_channels, kernel_size))
    }
}

impl Layer for Conv1d {
    const KIND: &'static str = "Conv1d";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [channels, length] = input.dims("[channels, length]")?;
        let layer = self.on_images();
        let on = layer.on(channels, 1, length)?;
        layer.declare(plan, &on, vec![self.out_channels, channels / self.groups, self.kernel_size]);
        Ok(Sample::numbers([self.out_channels, on.window.x.count]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        lengthwise::on_dfdx(&self.on_images(), pass, x)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let [channels, length] =
            pass.layer().input.dims("[channels, length]").map_err(|m| Fault::new(m.reason))?;
        let layer = self.on_images();
        let on = layer.on(channels, 1, length).map_err(|misfit| Fault::new(misfit.reason))?;
        layer.in_onnx(pass, x, &on, 1)
    }

    fn note(&self) -> String {
        let Self { out_channels, kernel_size, stride, padding, dilation, groups, bias, .. } = *self;
        let mut note = format!("{out_channels}, {kernel_size}");
        for (name, value, default) in [("stride", stride, 1), ("dilation", dilation, 1)] {
            if value != default {
                note += &format!(", {name} {value}");
            }
        }
        match padding {
            Padding::Same => note += ", padding same",
            Padding::By(0) => {}
            Padding::By(by) => note += &format!(", padding {by}"),
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

impl HostLayer for Conv1d {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        lengthwise::forward(&self.on_images(), pass, x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        lengthwise::backward(&self.on_images(), pass, gradient)
    }
}
