//! The largest number under a window.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Pair, Sequential as Layers, convolution, lengthwise};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real, extended, look_up};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::window::{Span, Window};

/// The largest number under a window that moves over the image, channel by channel: `[channels,
/// height, width]` becomes `[channels, height′, width′]` with `height′ = ⌊(height + 2 · padding −
/// dilation · (kernel_size − 1) − 1) / stride⌋ + 1`; what does not fill a window is left out.
///
/// Padding never is the largest. As `torch.nn.MaxPool2d`: where several are the largest, the first
/// one gets the gradient, and a NaN counts as the largest (on devices other than the processor only
/// if it is the last one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// Height and width of the window. Default 2×2.
    #[serde(default = "two_by_two")]
    pub kernel_size: Pair,
    /// How far the window moves; without it, as far as it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// How far the image is padded, at most half of the window. Default 0×0.
    #[serde(default = "zero_by_zero")]
    pub padding: Pair,
    /// How far the window's elements are from each other. Default 1×1.
    #[serde(default = "one_by_one")]
    pub dilation: Pair,
}

/// The largest number under a window that moves over the length, channel by channel: `[channels,
/// length]` becomes `[channels, length′]`. Otherwise as [`MaxPool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool1d {
    /// How long the window is. Default 2.
    #[serde(default = "two")]
    pub kernel_size: usize,
    /// How far the window moves; without it, as far as it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// How far the input is padded, at most half of the window. Default 0.
    #[serde(default)]
    pub padding: usize,
    /// How far the window's elements are from each other. Default 1.
    #[serde(default = "one")]
    pub dilation: usize,
}

fn two_by_two() -> Pair {
    2.into()
}

fn zero_by_zero() -> Pair {
    0.into()
}

fn one_by_one() -> Pair {
    1.into()
}

fn two() -> usize {
    2
}

fn one() -> usize {
    1
}

impl MaxPool2d {
    /// A window of this size, a number or height and width, that moves as far as it is large.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        Self {
            kernel_size: kernel_size.into(),
            stride: None,
            padding: zero_by_zero(),
            dilation: one_by_one(),
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

    /// The same with the window's elements so far from each other.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.dilation = dilation.into();
        self
    }

    fn on(&self, height: usize, width: usize) -> Result<Window, Misfit> {
        let Self { kernel_size, padding, dilation, .. } = self;
        let stride = self.stride.unwrap_or(*kernel_size);
        let span = |size, kernel, stride, padding, dilation| {
            let span = Span::new(size, kernel, stride, [padding; 2], dilation)?;
            check_padding(padding, dilation * (kernel - 1) + 1)?;
            let seen = |p| (0..kernel).any(|k| span.at(p, k).is_some());
            if !(0..span.count).all(seen) {
                // Dilation can step over a small image.
                return Err(Misfit::new(format!(
                    "its window, of kernel_size {kernel} and dilation {dilation}, sees nothing but \
                     padding at some positions on a side of {size}"
                )));
            }
            Ok(span)
        };
        Ok(Window {
            y: span(height, kernel_size.height, stride.height, padding.height, dilation.height)?,
            x: span(width, kernel_size.width, stride.width, padding.width, dilation.width)?,
        })
    }

    fn on_batch(&self, shape: &[usize]) -> Result<Window, Fault> {
        match *shape {
            [_, _, height, width] => {
                self.on(height, width).map_err(|misfit| Fault::new(misfit.reason))
            }
            _ => {
                Err(Fault::new(format!("it takes [batch, channels, height, width], not {shape:?}")))
            }
        }
    }
}

/// Whether every window sees something that is no padding.
pub(super) fn check_padding(padding: usize, reach: usize) -> Result<(), Misfit> {
    if padding > reach / 2 {
        return Err(Misfit::new(format!(
            "its padding, {padding}, must be at most half of what its window reaches over, {reach}"
        )));
    }
    Ok(())
}

impl MaxPool1d {
    /// A window of this length, that moves as far as it is long.
    pub fn new(kernel_size: usize) -> Self {
        Self { kernel_size, stride: None, padding: 0, dilation: 1 }
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

    /// The same with the window's elements so far from each other.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = dilation;
        self
    }

    /// The same on images of height 1.
    fn on_images(&self) -> MaxPool2d {
        MaxPool2d {
            kernel_size: [1, self.kernel_size].into(),
            stride: self.stride.map(|stride| [1, stride].into()),
            padding: [0, self.padding].into(),
            dilation: [1, self.dilation].into(),
        }
    }
}

impl Layers {
    /// Appends a [`MaxPool2d`] with a window of this size, a number or height and width.
    #[must_use]
    pub fn max_pool2d(self, kernel_size: impl Into<Pair>) -> Self {
        self.with(MaxPool2d::new(kernel_size))
    }

    /// Appends a [`MaxPool1d`] with a window of this length.
    #[must_use]
    pub fn max_pool1d(self, kernel_size: usize) -> Self {
        self.with(MaxPool1d::new(kernel_size))
    }
}

impl Layer for MaxPool2d {
    const KIND: &'static str = "MaxPool2d";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [channels, height, width] = input.dims("[channels, height, width]")?;
        let window = self.on(height, width)?;
        plan.flops(channels * window.positions() * (window.elements() - 1));
        Ok(Sample::numbers([channels, window.y.count, window.x.count]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let window = self.on_batch(x.shape())?;
        let mut shape = x.shape().to_vec();
        let planes = shape[0] * shape[1];
        let x = x.view((planes, window.image()))?;
        let padded = match window.is_padded() {
            true => extended(&x, E::neg_infinity())?,
            false => x.retaped(),
        };
        // One element of the window after the other: dfdx's own maximum over an axis gives every
        // one of several largest ones the whole gradient.
        let table = window.of_image();
        let mut tables = table.chunks(window.positions());
        let beside = x.with_empty_tape();
        let mut best = look_up(x, &padded, tables.next().unwrap_or_default())?;
        for table in tables {
            let other = look_up(beside.with_empty_tape(), &padded, table)?;
            let keep = best.try_ge(&other)?;
            best = keep.try_choose(best, other)?;
        }
        shape.truncate(2);
        shape.extend([window.y.count, window.x.count]);
        Flow::shaped(best, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        in_onnx(self, pass, x, 2)
    }

    fn note(&self) -> String {
        let mut note = self.kernel_size.to_string();
        if let Some(stride) = self.stride.filter(|stride| *stride != self.kernel_size) {
            note += &format!(", stride {stride}");
        }
        if self.padding != zero_by_zero() {
            note += &format!(", padding {}", self.padding);
        }
        if self.dilation != one_by_one() {
            note += &format!(", dilation {}", self.dilation);
        }
        note
    }
}

fn in_onnx(
    layer: &MaxPool2d,
    pass: &mut OnnxPass<'_>,
    x: &Value,
    dimensions: usize,
) -> Result<Value, Fault> {
    let (height, width) = match *pass.layer().input.shape {
        [_, height, width] => (height, width),
        [_, length] => (1, length),
        ref other => return Err(Fault::new(format!("it takes no samples of shape {other:?}"))),
    };
    let window = layer.on(height, width).map_err(|misfit| Fault::new(misfit.reason))?;
    let mut attributes = convolution::window_attributes(&window, dimensions);
    attributes.push(("dilations", convolution::of_window(&window, dimensions, |s| s.dilation)));
    pass.node("MaxPool", &[&x.name], &attributes)
}

impl Layer for MaxPool1d {
    const KIND: &'static str = "MaxPool1d";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [channels, length] = input.dims("[channels, length]")?;
        let window = self.on_images().on(1, length)?;
        plan.flops(channels * window.positions() * (window.elements() - 1));
        Ok(Sample::numbers([channels, window.x.count]))
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
        in_onnx(&self.on_images(), pass, x, 1)
    }

    fn note(&self) -> String {
        let mut note = self.kernel_size.to_string();
        if let Some(stride) = self.stride.filter(|stride| *stride != self.kernel_size) {
            note += &format!(", stride {stride}");
        }
        for (name, value, default) in [("padding", self.padding, 0), ("dilation", self.dilation, 1)]
        {
            if value != default {
                note += &format!(", {name} {value}");
            }
        }
        note
    }
}

/// For each number of the output, where in its plane of the input it was.
struct Chosen {
    at: Vec<u32>,
    shape: Vec<usize>,
}

/// Numbers of the input below which nothing is divided among threads, and in one share.
const WORTH: usize = 1 << 15;
const SHARE: usize = 1 << 14;

impl HostLayer for MaxPool2d {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let window = self.on_batch(&x.shape)?;
        let (image, positions) = (window.image(), window.positions());
        let planes = x.numbers().len() / image;
        let mut y = pass.memory(planes * positions);
        let mut at = vec![0_u32; planes * positions];
        let pool = |(x, (y, at)): (&[f32], (&mut [f32], &mut [u32]))| {
            let outputs = y.chunks_mut(positions).zip(at.chunks_mut(positions));
            for (plane, (y, at)) in x.chunks(image).zip(outputs) {
                if is_halving(&window) {
                    halve(&window, plane, y, at)
                } else {
                    largest(&window, plane, y, at)
                }
            }
        };
        if x.numbers().len() < WORTH {
            pool((x.numbers(), (&mut y, &mut at)));
        } else {
            let share = (SHARE / image).max(1);
            let outputs =
                y.par_chunks_mut(share * positions).zip(at.par_chunks_mut(share * positions));
            x.numbers().par_chunks(share * image).zip(outputs).for_each(pool);
        }
        let shape = vec![x.shape[0], x.shape[1], window.y.count, window.x.count];
        pass.save_other(Chosen { at, shape: x.shape.clone() });
        pass.free(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let Chosen { at, shape } = pass.saved_other()?;
        if !pass.wants_input_gradient() {
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let window = self.on_batch(&shape)?;
        let (image, positions) = (window.image(), window.positions());
        let mut dx = pass.memory(shape.iter().product());
        let back = |(dx, (dy, at)): (&mut [f32], (&[f32], &[u32]))| {
            dx.fill(0.0);
            let outputs = dy.chunks(positions).zip(at.chunks(positions));
            for (plane, (dy, at)) in dx.chunks_mut(image).zip(outputs) {
                dy.iter().zip(at).for_each(|(g, at)| plane[*at as usize] += g);
            }
        };
        if dx.len() < WORTH {
            back((&mut dx, (gradient.numbers(), &at)));
        } else {
            let share = (SHARE / image).max(1);
            let outputs = gradient
                .numbers()
                .par_chunks(share * positions)
                .zip(at.par_chunks(share * positions));
            dx.par_chunks_mut(share * image).zip(outputs).for_each(back);
        }
        pass.free(gradient);
        Ok(HostTensor::new(shape, dx))
    }
}

impl HostLayer for MaxPool1d {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        lengthwise::forward(&self.on_images(), pass, x)
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        lengthwise::backward(&self.on_images(), pass, gradient)
    }
}

/// Whether the window is 2×2 and halves both sides, as most do.
fn is_halving(window: &Window) -> bool {
    let halves = |s: &Span| (s.kernel, s.stride, s.dilation) == (2, 2, 1);
    halves(&window.y) && halves(&window.x) && !window.is_padded()
}

/// The larger one of two and where it is; the first of equal ones, and NaN above all.
fn larger(a: (f32, u32), b: (f32, u32)) -> (f32, u32) {
    if b.0 > a.0 || b.0.is_nan() { b } else { a }
}

fn halve(window: &Window, plane: &[f32], y: &mut [f32], at: &mut [u32]) {
    let width = window.x.size;
    let lines = y.chunks_mut(window.x.count).zip(at.chunks_mut(window.x.count));
    for (oy, ((y, at), two)) in lines.zip(plane.chunks(2 * width)).enumerate() {
        let (upper, lower) = two.split_at(width);
        let first = (2 * oy * width) as u32;
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (ox, ((y, at), (upper, lower))) in y.iter_mut().zip(at).zip(pairs).enumerate() {
            let (upper_at, lower_at) = (first + 2 * ox as u32, first + (width + 2 * ox) as u32);
            let best = larger((upper[0], upper_at), (upper[1], upper_at + 1));
            let best = larger(best, (lower[0], lower_at));
            (*y, *at) = larger(best, (lower[1], lower_at + 1));
        }
    }
}

fn largest(window: &Window, plane: &[f32], y: &mut [f32], at: &mut [u32]) {
    let Window { y: down, x: across } = window;
    for (position, (y, at)) in y.iter_mut().zip(at).enumerate() {
        let (oy, ox) = (position / across.count, position % across.count);
        let mut best = (f32::NEG_INFINITY, u32::MAX);
        for iy in (0..down.kernel).filter_map(|i| down.at(oy, i)) {
            for ix in (0..across.kernel).filter_map(|j| across.at(ox, j)) {
                let here = iy * across.size + ix;
                let other = (plane[here], here as u32);
                // Something is chosen even where nothing is above −∞.
                best = if best.1 == u32::MAX { other } else { larger(best, other) };
            }
        }
        (*y, *at) = best;
    }
}
