//! Average pools.

use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::means::{Mean, Means, Side, image, mean_backward, mean_forward};
use super::{Fault, Layer, Misfit, Pair, Sequential as Layers, convolution, lengthwise, max_pool};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::window::{Span, Window};

/// The mean of what is under a window that moves over the image, channel by channel: `[channels,
/// height, width]` becomes `[channels, height′, width′]` with `height′ = ⌊(height + 2 · padding −
/// kernel_size) / stride⌋ + 1`; what does not fill a window is left out. As `torch.nn.AvgPool2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// Height and width of the window. Default 2×2.
    #[serde(default = "two_by_two")]
    pub kernel_size: Pair,
    /// How far the window moves; without it, as far as it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// How far the image is padded, at most half of the window. Default 0×0.
    #[serde(default = "zero_by_zero")]
    pub padding: Pair,
    /// Whether padding counts, as zeros; otherwise the mean is of what is in the image. Default
    /// true.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

/// The mean of what is under a window that moves over the length, channel by channel: `[channels,
/// length]` becomes `[channels, length′]`. Otherwise as [`AvgPool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool1d {
    /// How long the window is. Default 2.
    #[serde(default = "two")]
    pub kernel_size: usize,
    /// How far the window moves; without it, as far as it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// How far the input is padded, at most half of the window. Default 0.
    #[serde(default)]
    pub padding: usize,
    /// Whether padding counts, as zeros; otherwise the mean is of what is in the input. Default
    /// true.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

/// Means of parts of the image, so that the output has this size whatever the image's: `[channels,
/// height, width]` becomes `[channels, output height, output width]`. Line i is the mean of the
/// lines from `⌊i · height / output height⌋` to before `⌈(i + 1) · height / output height⌉`, and so
/// are the columns. As `torch.nn.AdaptiveAvgPool2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPool2d {
    /// Height and width of the output.
    pub output_size: Pair,
}

/// Means of parts of the length, so that the output has this size whatever the input's:
/// `[channels, length]` becomes `[channels, output size]`. Otherwise as [`AdaptiveAvgPool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPool1d {
    /// How long the output is.
    pub output_size: usize,
}

fn two_by_two() -> Pair {
    2.into()
}

fn zero_by_zero() -> Pair {
    0.into()
}

fn two() -> usize {
    2
}

fn yes() -> bool {
    true
}

impl AvgPool2d {
    /// A window of this size, a number or height and width, that moves as far as it is large.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        Self {
            kernel_size: kernel_size.into(),
            stride: None,
            padding: zero_by_zero(),
            count_include_pad: true,
        }
    }

    /// The same with a window that moves so far.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = Some(stride.into());
        self
    }

    /// The same, padded so far.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The same, where the mean is of what is in the image.
    #[must_use]
    pub fn without_padding(mut self) -> Self {
        self.count_include_pad = false;
        self
    }

    fn window(&self, height: usize, width: usize) -> Result<Window, Misfit> {
        let Self { kernel_size, padding, .. } = self;
        let stride = self.stride.unwrap_or(*kernel_size);
        let span = |size, kernel, stride, padding| {
            let span = Span::new(size, kernel, stride, [padding; 2], 1)?;
            max_pool::check_padding(padding, kernel)?;
            Ok(span)
        };
        Ok(Window {
            y: span(height, kernel_size.height, stride.height, padding.height)?,
            x: span(width, kernel_size.width, stride.width, padding.width)?,
        })
    }
}

impl AvgPool1d {
    /// A window of this length, that moves as far as it is long.
    pub fn new(kernel_size: usize) -> Self {
        Self { kernel_size, stride: None, padding: 0, count_include_pad: true }
    }

    /// The same with a window that moves so far.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = Some(stride);
        self
    }

    /// The same, padded so far.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// The same, where the mean is of what is in the input.
    #[must_use]
    pub fn without_padding(mut self) -> Self {
        self.count_include_pad = false;
        self
    }

    /// The same on images of height 1.
    fn on_images(&self) -> AvgPool2d {
        AvgPool2d {
            kernel_size: [1, self.kernel_size].into(),
            stride: self.stride.map(|stride| [1, stride].into()),
            padding: [0, self.padding].into(),
            count_include_pad: self.count_include_pad,
        }
    }
}

impl AdaptiveAvgPool2d {
    /// To this size, a number or height and width.
    pub fn new(output_size: impl Into<Pair>) -> Self {
        Self { output_size: output_size.into() }
    }
}

impl AdaptiveAvgPool1d {
    /// To this length.
    pub fn new(output_size: usize) -> Self {
        Self { output_size }
    }

    /// The same on images of height 1.
    fn on_images(&self) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d::new([1, self.output_size])
    }
}

impl Layers {
    /// Appends an [`AvgPool2d`] with a window of this size, a number or height and width.
    #[must_use]
    pub fn avg_pool2d(self, kernel_size: impl Into<Pair>) -> Self {
        self.with(AvgPool2d::new(kernel_size))
    }

    /// Appends an [`AvgPool1d`] with a window of this length.
    #[must_use]
    pub fn avg_pool1d(self, kernel_size: usize) -> Self {
        self.with(AvgPool1d::new(kernel_size))
    }

    /// Appends an [`AdaptiveAvgPool2d`] to this height and width.
    #[must_use]
    pub fn adaptive_avg_pool2d(self, height: usize, width: usize) -> Self {
        self.with(AdaptiveAvgPool2d::new([height, width]))
    }

    /// Appends an [`AdaptiveAvgPool1d`] to this length.
    #[must_use]
    pub fn adaptive_avg_pool1d(self, length: usize) -> Self {
        self.with(AdaptiveAvgPool1d::new(length))
    }
}

impl Mean for AvgPool2d {
    fn means(&self, height: usize, width: usize) -> Result<Means, Misfit> {
        let window = self.window(height, width)?;
        Ok(Means {
            y: Side::of_window(&window.y, self.count_include_pad),
            x: Side::of_window(&window.x, self.count_include_pad),
        })
    }
}

impl Mean for AdaptiveAvgPool2d {
    fn means(&self, height: usize, width: usize) -> Result<Means, Misfit> {
        let Pair { height: down, width: across } = self.output_size;
        if down == 0 || across == 0 {
            return Err(Misfit::new("its output_size must be at least 1, not 0"));
        }
        if height == 0 || width == 0 {
            return Err(Misfit::new("it takes images of one pixel at least"));
        }
        Ok(Means { y: Side::of_output(height, down), x: Side::of_output(width, across) })
    }
}

impl AvgPool2d {
    fn in_onnx(
        &self,
        pass: &mut OnnxPass<'_>,
        x: &Value,
        dimensions: usize,
    ) -> Result<Value, Fault> {
        let (height, width) = image(pass)?;
        let window = self.window(height, width).map_err(|misfit| Fault::new(misfit.reason))?;
        let mut attributes = convolution::window_attributes(&window, dimensions);
        let counted = i64::from(self.count_include_pad);
        attributes.push(("count_include_pad", Attribute::Int(counted)));
        pass.node("AveragePool", &[&x.name], &attributes)
    }
}

impl AdaptiveAvgPool2d {
    fn in_onnx(
        &self,
        pass: &mut OnnxPass<'_>,
        x: &Value,
        dimensions: usize,
    ) -> Result<Value, Fault> {
        let (height, width) = image(pass)?;
        let Pair { height: down, width: across } = self.output_size;
        if down > 0 && across > 0 && height.is_multiple_of(down) && width.is_multiple_of(across) {
            let pool = AvgPool2d::new([height / down, width / across]);
            return pool.in_onnx(pass, x, dimensions);
        }
        let means = self.means(height, width).map_err(|misfit| Fault::new(misfit.reason))?;
        means.in_onnx(pass, x, dimensions)
    }
}

macro_rules! layers {
    ($($layer:ident, $of_lengths:ident;)+) => { $(
        impl Layer for $layer {
            const KIND: &'static str = stringify!($layer);

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                let dims = input.dims("[channels, height, width]")?;
                let means = self.fit(plan, dims)?;
                Ok(Sample::numbers([dims[0], means.y.count(), means.x.count()]))
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                _: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                self.on_batch(x.shape())?.on_dfdx(x)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                self.in_onnx(pass, x, 2)
            }

            fn note(&self) -> String {
                self.in_short()
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                mean_forward(self, pass, x)
            }

            fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
                mean_backward(self, pass, gradient)
            }
        }

        impl Layer for $of_lengths {
            const KIND: &'static str = stringify!($of_lengths);

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                let [channels, length] = input.dims("[channels, length]")?;
                let means = self.on_images().fit(plan, [channels, 1, length])?;
                Ok(Sample::numbers([channels, means.x.count()]))
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
                self.on_images().in_onnx(pass, x, 1)
            }

            fn note(&self) -> String {
                self.in_short()
            }
        }

        impl HostLayer for $of_lengths {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                lengthwise::forward(&self.on_images(), pass, x)
            }

            fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
                lengthwise::backward(&self.on_images(), pass, gradient)
            }
        }
    )+ };
}

layers! {
    AvgPool2d, AvgPool1d;
    AdaptiveAvgPool2d, AdaptiveAvgPool1d;
}

impl AvgPool2d {
    fn in_short(&self) -> String {
        let stride = self.stride.filter(|stride| *stride != self.kernel_size);
        let padding = Some(self.padding).filter(|padding| *padding != zero_by_zero());
        in_short(self.kernel_size, stride, padding, self.count_include_pad)
    }
}

impl AvgPool1d {
    fn in_short(&self) -> String {
        let stride = self.stride.filter(|stride| *stride != self.kernel_size);
        let padding = Some(self.padding).filter(|padding| *padding != 0);
        in_short(self.kernel_size, stride, padding, self.count_include_pad)
    }
}

impl AdaptiveAvgPool2d {
    fn in_short(&self) -> String {
        format!("to {}", self.output_size)
    }
}

impl AdaptiveAvgPool1d {
    fn in_short(&self) -> String {
        format!("to {}", self.output_size)
    }
}

fn in_short<T: std::fmt::Display>(
    kernel: T,
    stride: Option<T>,
    padding: Option<T>,
    counted: bool,
) -> String {
    let mut note = kernel.to_string();
    if let Some(stride) = stride {
        note += &format!(", stride {stride}");
    }
    if let Some(padding) = padding {
        note += &format!(", padding {padding}{}", if counted { "" } else { " not counted" });
    }
    note
}
