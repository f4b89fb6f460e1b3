//! Means of parts of an image: what average pools have in common.

use std::ops::Range;

use dfdx::prelude::*;
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Misfit};
use crate::host::{HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::window::Span;

/// The means of one dimension: of which elements each is, and by how many it is divided.
pub(super) struct Side {
    size: usize,
    parts: Vec<(Range<usize>, usize)>,
}

impl Side {
    pub fn of_window(span: &Span, count_padding: bool) -> Self {
        let parts = (0..span.count).map(|position| {
            let first = position * span.stride;
            let end = (first + span.kernel).saturating_sub(span.before).min(span.size);
            let within = first.saturating_sub(span.before)..end;
            let divisor = if count_padding { span.kernel } else { within.len() };
            (within, divisor)
        });
        Self { size: span.size, parts: parts.collect() }
    }

    pub fn of_output(size: usize, output: usize) -> Self {
        let part = |i: usize| i * size / output..((i + 1) * size).div_ceil(output);
        let parts = (0..output).map(|i| (part(i), part(i).len()));
        Self { size, parts: parts.collect() }
    }

    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// size × parts: `of(divisor)` where the element is in the part, otherwise 0.
    pub fn matrix<T: Clone>(&self, zero: T, of: impl Fn(usize) -> T) -> Vec<T> {
        let mut matrix = vec![zero; self.size * self.count()];
        for (part, (within, divisor)) in self.parts.iter().enumerate() {
            for at in within.clone() {
                matrix[at * self.count() + part] = of(*divisor);
            }
        }
        matrix
    }
}

/// Means of parts of an image: of each part in height and each in width.
pub(super) struct Means {
    pub y: Side,
    pub x: Side,
}

/// A layer that computes means of parts of an image.
pub(super) trait Mean {
    fn means(&self, height: usize, width: usize) -> Result<Means, Misfit>;

    fn on_batch(&self, shape: &[usize]) -> Result<Means, Fault> {
        match *shape {
            [_, _, height, width] => {
                self.means(height, width).map_err(|misfit| Fault::new(misfit.reason))
            }
            _ => {
                Err(Fault::new(format!("it takes [batch, channels, height, width], not {shape:?}")))
            }
        }
    }

    fn fit(
        &self,
        plan: &mut Plan<'_>,
        [channels, height, width]: [usize; 3],
    ) -> Result<Means, Misfit> {
        let means = self.means(height, width)?;
        let sum = |side: &Side| side.parts.iter().map(|(within, _)| within.len()).sum::<usize>();
        plan.flops(channels * sum(&means.y) * sum(&means.x));
        Ok(means)
    }
}

impl Means {
    /// In dfdx's operations: along one side and then the other, as products with a matrix.
    pub fn on_dfdx<E: Real, D: Backend<E>>(&self, x: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
        let device = x.device();
        let matrix = |side: &Side| {
            let values = side.matrix(E::of(0.0), |divisor| E::of(1.0 / divisor as f64));
            device.try_tensor_from_vec(values, (side.size, side.count()))
        };
        let mut shape = x.shape().to_vec();
        shape.truncate(2);
        shape.extend([self.y.count(), self.x.count()]);
        let planes = shape[0] * shape[1];
        let (height, across) = (self.y.size, self.x.count());
        let y = x
            .view((planes * height, self.x.size))?
            .try_matmul(matrix(&self.x)?)?
            .try_reshape_like(&(planes, height, across))?
            .try_permute::<_, Axes3<0, 2, 1>>()?
            .try_reshape_like(&(planes * across, height))?
            .try_matmul(matrix(&self.y)?)?
            .try_reshape_like(&(planes, across, self.y.count()))?
            .try_permute::<_, Axes3<0, 2, 1>>()?;
        Flow::shaped(y, shape)
    }

    /// Whether each part is two elements, one behind the other, in both dimensions.
    pub fn is_halving(&self) -> bool {
        let halves = |side: &Side| {
            side.parts.iter().enumerate().all(|(i, part)| *part == (2 * i..2 * i + 2, 2))
        };
        halves(&self.y) && halves(&self.x)
    }

    pub fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let (width, across) = (self.x.size, self.x.count());
        let (image, positions) = (self.y.size * width, self.y.count() * across);
        let planes = x.numbers().len() / image;
        let mut y = pass.memory(planes * positions);
        let numbers = x.numbers();
        let halving = self.is_halving();
        threads::each_block(&mut y, positions, image, |plane, y| {
            let plane = &numbers[plane * image..][..image];
            for ((within, down), y) in self.y.parts.iter().zip(y.chunks_mut(across)) {
                let lines = &plane[within.start * width..within.end * width];
                if halving {
                    let (upper, lower) = lines.split_at(width);
                    let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                    y.iter_mut()
                        .zip(pairs)
                        .for_each(|(y, (u, l))| *y = 0.25 * (u[0] + u[1] + l[0] + l[1]));
                    continue;
                }
                for ((within, divisor), y) in self.x.parts.iter().zip(y) {
                    let lines = lines.chunks(width).flat_map(|line| &line[within.clone()]);
                    *y = lines.sum::<f32>() / (down * divisor) as f32;
                }
            }
        });
        let shape = vec![x.shape[0], x.shape[1], self.y.count(), across];
        pass.save_other(x.shape.clone());
        pass.free(x);
        Ok(HostTensor::new(shape, y))
    }

    pub fn backward(
        &self,
        pass: &mut HostPass<'_>,
        shape: Vec<usize>,
        gradient: HostTensor,
    ) -> HostTensor {
        let (width, across) = (self.x.size, self.x.count());
        let (image, positions) = (self.y.size * width, self.y.count() * across);
        let mut dx = pass.memory(shape.iter().product());
        let numbers = gradient.numbers();
        let halving = self.is_halving();
        threads::each_block(&mut dx, image, image, |plane, dx| {
            let dy = &numbers[plane * positions..][..positions];
            dx.fill(0.0);
            for ((within, down), dy) in self.y.parts.iter().zip(dy.chunks(across)) {
                let lines = &mut dx[within.start * width..within.end * width];
                for line in lines.chunks_mut(width) {
                    if halving {
                        line.chunks_exact_mut(2).zip(dy).for_each(|(dx, g)| dx.fill(0.25 * g));
                        continue;
                    }
                    for ((within, divisor), g) in self.x.parts.iter().zip(dy) {
                        let g = g / (down * divisor) as f32;
                        line[within.clone()].iter_mut().for_each(|dx| *dx += g);
                    }
                }
            }
        });
        pass.free(gradient);
        HostTensor::new(shape, dx)
    }

    /// As a product with a matrix of ones along each side and a division, which are exact where
    /// 1/3 is not.
    pub fn in_onnx(
        &self,
        pass: &mut OnnxPass<'_>,
        x: &Value,
        dimensions: usize,
    ) -> Result<Value, Fault> {
        let ones = |side: &Side| side.matrix(0.0, |_| 1.0);
        let across = pass.weight("across", &[self.x.size, self.x.count()], ones(&self.x))?;
        let mut y = pass.node("MatMul", &[&x.name, &across], &[])?;
        let mut shape = vec![self.x.count()];
        if dimensions == 2 {
            let (size, count) = (self.y.size, self.y.count());
            let turn = [("perm", Attribute::Ints(vec![0, 1, 3, 2]))];
            let down = pass.weight("down", &[size, count], ones(&self.y))?;
            y = pass.node("Transpose", &[&y.name], &turn)?;
            y = pass.node("MatMul", &[&y.name, &down], &[])?;
            y = pass.node("Transpose", &[&y.name], &turn)?;
            shape.insert(0, count);
        }
        let lines = self.y.parts.iter().map(|(_, divisor)| divisor);
        let counts = lines.flat_map(|d| self.x.parts.iter().map(move |(_, e)| (d * e) as f32));
        let counts = pass.weight("counts", &shape, counts.collect())?;
        pass.node("Div", &[&y.name, &counts], &[])
    }
}

pub(super) fn mean_forward(
    layer: &impl Mean,
    pass: &mut HostPass<'_>,
    x: HostTensor,
) -> Result<HostTensor, Fault> {
    layer.on_batch(&x.shape)?.forward(pass, x)
}

pub(super) fn mean_backward(
    layer: &impl Mean,
    pass: &mut HostPass<'_>,
    gradient: HostTensor,
) -> Result<HostTensor, Fault> {
    let shape: Vec<usize> = pass.saved_other()?;
    if !pass.wants_input_gradient() {
        pass.free(gradient);
        return Ok(HostTensor::none());
    }
    Ok(layer.on_batch(&shape)?.backward(pass, shape, gradient))
}

/// The height (1 for lengths) and the width of what a layer gets.
pub(super) fn image(pass: &OnnxPass<'_>) -> Result<(usize, usize), Fault> {
    match *pass.layer().input.shape {
        [_, height, width] => Ok((height, width)),
        [_, length] => Ok((1, length)),
        ref other => Err(Fault::new(format!("it takes no samples of shape {other:?}"))),
    }
}
