//! Larger images.

use dfdx::shapes::{Axes2, Axes3};
use dfdx::tensor_ops::{BroadcastTo, PermuteTo, ReshapeTo, TryMatMul};
use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Each side so many times as long: `[channels, height, width]` becomes `[channels, scale_factor ·
/// height, scale_factor · width]`; by repetition also `[channels, length]`. PyTorch's semantics.
///
/// By interpolation the number at `i` of a side comes from the place `(i + ½) / scale_factor − ½`,
/// not before the first; with `align_corners` from `i · (side − 1) / (scale_factor · side − 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upsample {
    /// How many times as long a side becomes. Default 2.
    pub scale_factor: usize,
    /// By repetition or interpolation. Default "nearest".
    pub mode: UpsampleMode,
    /// Whether the corners of output and input are in the same places; for "bilinear" only. Default
    /// false.
    pub align_corners: bool,
}

/// How an image becomes larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleMode {
    /// Every number is repeated.
    #[default]
    Nearest,
    /// Between numbers is interpolated, row by row and column by column.
    Bilinear,
}

impl Default for Upsample {
    fn default() -> Self {
        Self { scale_factor: 2, mode: UpsampleMode::Nearest, align_corners: false }
    }
}

impl Upsample {
    /// By repetition.
    pub fn nearest(scale_factor: usize) -> Self {
        Self { scale_factor, ..Self::default() }
    }

    /// By interpolation.
    pub fn bilinear(scale_factor: usize) -> Self {
        Self { scale_factor, mode: UpsampleMode::Bilinear, align_corners: false }
    }

    /// The same with the corners of output and input in the same places.
    #[must_use]
    pub fn align_corners(mut self) -> Self {
        self.align_corners = true;
        self
    }

    /// A side of so many numbers: from which two each number of the output comes, and how much of
    /// the second is in it.
    fn side(&self, len: usize) -> Vec<(usize, usize, f64)> {
        let (scale, long) = (self.scale_factor, len * self.scale_factor);
        let place = |i: usize| match self.mode {
            UpsampleMode::Nearest => (i / scale) as f64,
            UpsampleMode::Bilinear if self.align_corners => {
                if long > 1 {
                    i as f64 * (len - 1) as f64 / (long - 1) as f64
                } else {
                    0.0
                }
            }
            UpsampleMode::Bilinear => ((i as f64 + 0.5) / scale as f64 - 0.5).max(0.0),
        };
        let ends = |place: f64| {
            let first = (place as usize).min(len.saturating_sub(1));
            (first, (first + 1).min(len.saturating_sub(1)), place - first as f64)
        };
        (0..long).map(|i| ends(place(i))).collect()
    }
}

impl Sequential {
    /// Appends an [`Upsample`] by repetition.
    #[must_use]
    pub fn upsample(self, scale_factor: usize) -> Self {
        self.with(Upsample::nearest(scale_factor))
    }
}

/// Height and width of samples; a row of numbers has height 1.
fn sides(shape: &[usize]) -> (usize, usize) {
    match *shape {
        [_, length] => (1, length),
        [_, height, width] => (height, width),
        _ => (0, 0),
    }
}

impl Layer for Upsample {
    const KIND: &'static str = "Upsample";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let takes = match self.mode {
            UpsampleMode::Nearest => "[channels, length] or [channels, height, width]",
            UpsampleMode::Bilinear => "[channels, height, width]",
        };
        let mut shape = input.as_numbers(takes)?.to_vec();
        if shape.len() != 3 && !(shape.len() == 2 && self.mode == UpsampleMode::Nearest) {
            return Err(Misfit::new(format!("it takes {takes}")));
        }
        if self.scale_factor == 0 {
            return Err(Misfit::new("its scale_factor must be at least 1, not 0"));
        }
        if self.align_corners && self.mode == UpsampleMode::Nearest {
            return Err(Misfit::new("align_corners is for the mode \"bilinear\" only"));
        }
        shape[1..].iter_mut().for_each(|side| *side *= self.scale_factor);
        let output = Sample::numbers(shape);
        if self.mode == UpsampleMode::Bilinear {
            plan.flops(8 * output.size());
        }
        Ok(output)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let sample = pass.node();
        let shape = std::iter::once(x.batch()).chain(sample.output.shape.iter().copied()).collect();
        let (height, width) = sides(&sample.input.shape);
        let planes = x.shape().iter().product::<usize>() / (height * width).max(1);
        let scale = self.scale_factor;
        if self.mode == UpsampleMode::Nearest {
            let down = if sample.input.shape.len() == 2 { 1 } else { scale };
            let x = x.view((planes, height, width))?;
            let to = (planes, height, down, width, scale);
            return Flow::shaped(x.try_broadcast_like::<_, Axes2<2, 4>>(&to)?, shape);
        }
        // Rows times a matrix, turned, and again: the products are dfdx's fastest operation.
        let device = x.device();
        let matrix = |len: usize| -> Result<_, Fault> {
            let long = len * scale;
            let mut values = vec![E::of(0.0); len * long];
            for (i, (first, second, much)) in self.side(len).into_iter().enumerate() {
                values[first * long + i] += E::of(1.0 - much);
                values[second * long + i] += E::of(much);
            }
            Ok(device.try_tensor_from_vec(values, (len, long))?)
        };
        let (tall, wide) = (height * scale, width * scale);
        let x = x.view((planes * height, width))?.try_matmul(matrix(width)?)?;
        let x = x.try_reshape_like(&(planes, height, wide))?;
        let x = x.try_permute::<_, Axes3<0, 2, 1>>()?.try_reshape_like(&(planes * wide, height))?;
        let y = x.try_matmul(matrix(height)?)?.try_reshape_like(&(planes, wide, tall))?;
        Flow::shaped(y.try_permute::<_, Axes3<0, 2, 1>>()?, shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    /// Each row and column is picked by its index: Resize rounds places in another way for some
    /// sizes, and wants a scale for the batch.
    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let mut value = x.clone();
        for (i, &len) in pass.layer().input.shape.iter().enumerate().skip(1) {
            let side = self.side(len);
            let name = ["rows", "columns"][i - 1];
            let axis = [("axis", trainbook_onnx::Attribute::Int(i64::try_from(i)? + 1))];
            let indices = |of: fn(&(usize, usize, f64)) -> usize| {
                side.iter().map(of).map(i64::try_from).collect::<Result<Vec<_>, _>>()
            };
            let first = pass.integers(name, indices(|place| place.0)?)?;
            let below = pass.node("Gather", &[&value.name, &first], &axis)?;
            if self.mode == UpsampleMode::Nearest {
                value = below;
                continue;
            }
            let second = pass.integers(&format!("{name}_after"), indices(|place| place.1)?)?;
            let above = pass.node("Gather", &[&value.name, &second], &axis)?;
            let mut shape = vec![1; 3];
            shape[i] = side.len();
            let much = side.iter().map(|place| place.2 as f32).collect();
            let much = pass.weight(&format!("{name}_much"), &shape, much)?;
            let step = pass.node("Sub", &[&above.name, &below.name], &[])?;
            let step = pass.node("Mul", &[&step.name, &much], &[])?;
            value = pass.node("Add", &[&below.name, &step.name], &[])?;
        }
        Ok(value)
    }

    fn note(&self) -> String {
        let mode = match (self.mode, self.align_corners) {
            (UpsampleMode::Nearest, _) => "",
            (UpsampleMode::Bilinear, false) => ", bilinear",
            (UpsampleMode::Bilinear, true) => ", bilinear, corners aligned",
        };
        format!("{}{mode}", self.scale_factor)
    }
}

/// Where each number of a side comes from, in f32.
type Side = Vec<(usize, usize, f32)>;

impl Upsample {
    /// Rows and columns of images of this shape.
    fn table(&self, shape: &[usize]) -> (Side, Side) {
        let (height, width) = sides(shape);
        let narrow = |side: Vec<(usize, usize, f64)>| {
            side.into_iter().map(|(first, second, much)| (first, second, much as f32)).collect()
        };
        // A row of numbers becomes longer, not higher.
        let rows = if shape.len() == 2 { vec![(0, 0, 0.0)] } else { self.side(height) };
        (narrow(rows), narrow(self.side(width)))
    }
}

impl HostLayer for Upsample {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let node = pass.node();
        let shape: Vec<usize> =
            std::iter::once(x.batch()).chain(node.output.shape.iter().copied()).collect();
        let (height, width) = sides(&node.input.shape);
        let (rows, columns) = self.table(&node.input.shape);
        let from = x.numbers();
        let mut y = pass.memory(shape.iter().product());
        let plane = rows.len() * columns.len();
        let nearest = self.mode == UpsampleMode::Nearest;
        threads::each_block(&mut y, plane, 8 * plane, |i, into| {
            let image = &from[i * height * width..][..height * width];
            for (into, &(first, second, down)) in into.chunks_exact_mut(columns.len()).zip(&rows) {
                let (above, below) = (&image[first * width..], &image[second * width..]);
                for (y, &(left, right, over)) in into.iter_mut().zip(&columns) {
                    *y = if nearest {
                        above[left]
                    } else {
                        let top = above[left] + over * (above[right] - above[left]);
                        let bottom = below[left] + over * (below[right] - below[left]);
                        top + down * (bottom - top)
                    };
                }
            }
        });
        pass.free(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        if !pass.wants_input_gradient() {
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let node = pass.node();
        let shape: Vec<usize> =
            std::iter::once(gradient.batch()).chain(node.input.shape.iter().copied()).collect();
        let (height, width) = sides(&node.input.shape);
        let (rows, columns) = self.table(&node.input.shape);
        let plane = rows.len() * columns.len();
        let from = gradient.numbers();
        let mut dx = pass.zeros(shape.iter().product());
        let nearest = self.mode == UpsampleMode::Nearest;
        threads::each_block(&mut dx, height * width, 8 * plane, |i, image| {
            let from = from[i * plane..][..plane].chunks_exact(columns.len());
            for (from, &(first, second, down)) in from.zip(&rows) {
                for (&g, &(left, right, over)) in from.iter().zip(&columns) {
                    if nearest {
                        image[first * width + left] += g;
                        continue;
                    }
                    image[first * width + left] += (1.0 - down) * (1.0 - over) * g;
                    image[first * width + right] += (1.0 - down) * over * g;
                    image[second * width + left] += down * (1.0 - over) * g;
                    image[second * width + right] += down * over * g;
                }
            }
        });
        pass.free(gradient);
        Ok(HostTensor::new(shape, dx))
    }
}
